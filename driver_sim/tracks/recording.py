"""Recording: the fixes of one drive, as a file holds them."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from tracker.domain.order import Vehicle
from tracker.domain.tracks.track import Fix


class BadTrack(Exception):
    """A file of which nothing can be replayed: which, where in it, and why."""

    def __init__(self, file: str, line: int | str | None, why: str) -> None:
        super().__init__(": ".join(str(part) for part in (_place(file, line), why)))


def _place(file: str, line: int | str | None) -> str:
    if line is None:
        return file
    return f"{file}:{line}" if isinstance(line, int) else f"{file}: {line}"


class RecordedStop(msgspec.Struct, frozen=True):
    """A stop of a recorded trip; the same `order` twice is its pickup and its dropoff."""

    lat: float
    lon: float
    service_s: float | None = None
    order: str | None = None


class Recording(msgspec.Struct, frozen=True):
    """One drive; fixes by time. `arrived_at` has one time for each stop.

    `assumed_times`: the file has none; they follow from an assumed speed.
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
