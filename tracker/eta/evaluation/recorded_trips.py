"""Recorded trips: read the evaluation's input, one JSON object per line, optionally gzipped."""

import gzip
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Stop
from tracker.domain.tracks.fix import Fix, without_impossible_values
from tracker.errors import BadInput

Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
AwareTime = Annotated[datetime, Meta(tz=True)]


class RecordedStop(msgspec.Struct, frozen=True):
    lat: Latitude
    lon: Longitude
    service_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    order: str | None = None


class RecordedFix(Fix, frozen=True):
    lat: Latitude
    lon: Longitude


class RecordedTrip(msgspec.Struct, frozen=True):
    """The fixes of one trip, and the actual arrivals to measure forecasts against."""

    trip_id: str
    stops: Annotated[tuple[RecordedStop, ...], Meta(min_length=1)]
    fixes: Annotated[tuple[RecordedFix, ...], Meta(min_length=1)]
    arrived_at: tuple[AwareTime, ...]
    vehicle: Vehicle = "car"

    @property
    def ends_at(self) -> datetime:
        return max(*self.arrived_at, self.fixes[-1].recorded_at)

    def as_stops(self) -> tuple[Stop, ...]:
        """Return one dropoff per stop, each of its own order, because orders do not affect times."""
        return tuple(
            Stop(f"{index}", "dropoff", LonLat(stop.lon, stop.lat), stop.service_s)
            for index, stop in enumerate(self.stops)
        )


class BadTrips(BadInput):
    """An invalid file of recorded trips; the text names file and line."""


def read_trips(path: Path) -> list[RecordedTrip]:
    """Return all trips of the file. Raises BadTrips."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadTrips(f"{path}: {error}") from error
    lines = enumerate(content.split(b"\n"), 1)
    trips = [_trip(path, number, line) for number, line in lines if line.strip()]
    if not trips:
        raise BadTrips(f"{path}: the file has no trips; write one JSON object per line")
    return trips


def _trip(path: Path, number: int, line: bytes) -> RecordedTrip:
    try:
        trip = msgspec.json.decode(line, type=RecordedTrip)
    except msgspec.DecodeError as error:
        raise BadTrips(f"{path}:{number}: {error}") from error
    if len(trip.arrived_at) != len(trip.stops):
        counts = f"{len(trip.stops)} stops but {len(trip.arrived_at)} times in arrived_at"
        raise BadTrips(f"{path}:{number}: {counts}; give one per stop")
    if list(trip.arrived_at) != sorted(trip.arrived_at):
        raise BadTrips(f"{path}:{number}: the times in arrived_at decrease; list stops in the order served")
    return msgspec.structs.replace(
        trip,
        fixes=tuple(sorted(map(_clean, trip.fixes), key=lambda fix: fix.recorded_at)),
        arrived_at=tuple(each.astimezone(UTC) for each in trip.arrived_at),
    )


def _clean(fix: RecordedFix) -> RecordedFix:
    utc = msgspec.structs.replace(fix, recorded_at=fix.recorded_at.astimezone(UTC))
    return without_impossible_values(utc)  # type: ignore[return-value]
