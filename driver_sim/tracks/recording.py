"""Recording: the recorded fixes of one drive."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from tracker.domain.order import Vehicle
from tracker.domain.tracks.fix import Fix


class BadTrack(Exception):
    """A file without anything to replay. The text has the file, the place in it and the reason."""

    def __init__(self, file: str, line: int | str | None, why: str) -> None:
        super().__init__(": ".join(str(part) for part in (_place(file, line), why)))


def _place(file: str, line: int | str | None) -> str:
    if line is None:
        return file
    return f"{file}:{line}" if isinstance(line, int) else f"{file}: {line}"


class RecordedStop(msgspec.Struct, frozen=True):
    """A stop of a recorded trip. Two stops with the same `order` are its pickup and dropoff."""

    lat: float
    lon: float
    service_s: float | None = None
    order: str | None = None


class Recording(msgspec.Struct, frozen=True):
    """One drive, with fixes in order of time. `arrived_at` has one time for each stop.

    `assumed_times`: the times follow from an assumed speed, because the file has none.
    """

    name: str
    fixes: tuple[Fix, ...]
    vehicle: Vehicle | None = None
    stops: tuple[RecordedStop, ...] = ()
    arrived_at: tuple[datetime, ...] = ()
    assumed_times: bool = False

    @property
    def duration(self) -> float:
        """Seconds from the first to the last fix."""
        return (self.fixes[-1].recorded_at - self.fixes[0].recorded_at).total_seconds()


def by_time(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    return tuple(sorted(fixes, key=lambda fix: fix.recorded_at))
