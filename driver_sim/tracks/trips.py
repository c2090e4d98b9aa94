"""Recorded trips: one JSON object a line, with the stops that were served and when they were reached."""

from typing import Annotated

import msgspec
from msgspec import Meta

from driver_sim.tracks.recording import BadTrack, RecordedStop, Recording, by_time
from tracker.domain.order import Vehicle
from tracker.domain.track import Fix
from tracker.messages import AwareTime

Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class _Stop(RecordedStop, frozen=True):
    lat: Latitude
    lon: Longitude


class _Fix(Fix, frozen=True):
    recorded_at: AwareTime
    lat: Latitude
    lon: Longitude


class _Trip(msgspec.Struct, frozen=True):
    trip_id: str
    fixes: tuple[_Fix, ...]
    vehicle: Vehicle = "car"
    stops: tuple[_Stop, ...] = ()
    arrived_at: tuple[AwareTime, ...] = ()


def read_trips(file: str, content: bytes) -> list[Recording]:
    """Raises BadTrack with the line."""
    lines = enumerate(content.split(b"\n"), 1)
    return [_recording(file, number, line) for number, line in lines if line.strip()]


def _recording(file: str, number: int, line: bytes) -> Recording:
    try:
        trip = msgspec.json.decode(line, type=_Trip)
    except msgspec.MsgspecError as error:
        raise BadTrack(file, number, str(error)) from error
    if len(trip.arrived_at) != len(trip.stops):
        raise BadTrack(file, number, f"{len(trip.stops)} stops, but {len(trip.arrived_at)} arrived_at")
    return Recording(trip.trip_id, by_time(trip.fixes), trip.vehicle, trip.stops, trip.arrived_at)
