"""Reader of recorded trips: one JSON object a line, with the stops and their arrival times.

Lines with single fixes, as in the service's `track.ndjson`, form one recording.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from driver_sim.tracks.reading import OPTIONAL, Options, Point, Report, recording
from driver_sim.tracks.recording import RecordedStop, Recording, by_time
from tracker.domain.order import Vehicle
from tracker.domain.tracks.fix import Fix
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
    fixes: tuple[msgspec.Raw, ...]
    vehicle: Vehicle = "car"
    stops: tuple[_Stop, ...] = ()
    arrived_at: tuple[AwareTime, ...] = ()


def read_trips(file: str, content: bytes, options: Options, report: Report) -> list[Recording]:
    """Read the recordings of a file. Skip invalid lines, and invalid fixes of a trip."""
    trips: list[Recording] = []
    single: list[Point] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            if (fix := _parse_fix(number, line)) is not None:
                single.append(fix)
            else:
                trips.append(_parse_trip(number, line, report))
        except (msgspec.MsgspecError, ValueError) as error:
            report.skip("line", str(error), number)
    one = recording(file, single, options, report)
    return trips if one is None else [*trips, one]


def _parse_fix(number: int, line: bytes) -> Point | None:
    """Parse a line of `track.ndjson`. Return None for a line with a trip."""
    fields = msgspec.json.decode(line)
    if not isinstance(fields, dict) or "recorded_at" not in fields:
        return None
    optional = {name: fields.get(name) for name in OPTIONAL}
    return Point(number, fields["recorded_at"], fields.get("lat"), fields.get("lon"), optional)


def _parse_trip(number: int, line: bytes, report: Report) -> Recording:
    trip = msgspec.json.decode(line, type=_Trip)
    if len(trip.arrived_at) != len(trip.stops):
        raise ValueError(f"{len(trip.stops)} stops, but {len(trip.arrived_at)} arrived_at")
    fixes: list[Fix] = []
    for index, raw in enumerate(trip.fixes, 1):
        try:
            fixes.append(msgspec.json.decode(raw, type=_Fix))
        except msgspec.MsgspecError as error:
            report.skip("fix", str(error), f"line {number}, fix {index}")
    return Recording(trip.trip_id, by_time(fixes), trip.vehicle, trip.stops, trip.arrived_at)
