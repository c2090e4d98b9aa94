"""Facts about drivers that only the node with their live trip knows, such as the position."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct

from tracker.domain.driver.duty import Duty
from tracker.domain.tracks.fix import Fix
from tracker.live.drivers.trip import LiveTrip

TRIPS_PER_STEP: Final = 500  # that are looked at before the event loop runs other tasks


class DriverFacts(Struct, array_like=True, frozen=True):
    """What a live trip says about its driver."""

    driver_id: str
    position: Fix | None  # None off duty
    duty: Duty
    report_every: float  # seconds; the expected interval of reports
    off_route: bool


def facts_of(live: LiveTrip) -> DriverFacts:
    trip = live.trip
    duty = trip.duty.now
    interval = max(trip.report_every, trip.track.median_interval or 0.0)
    position = None if duty == "off" else trip.position
    return DriverFacts(trip.driver.id, position, duty, interval, trip.has_left_route)


class FactCollector:
    """Finds which facts have changed since it looked last. A look costs about a microsecond a trip."""

    def __init__(self, trips: Iterable[LiveTrip], owns: Callable[[str], bool]) -> None:
        self._trips, self._owns = trips, owns
        self._known: dict[str, tuple[int, Duty, bool, DriverFacts]] = {}

    def collect(self) -> Iterator[list[DriverFacts]]:
        """Yield the facts that have changed, in steps, and forget trips that are no longer owned here."""
        before, self._known = self._known, {}
        changed: list[DriverFacts] = []
        for number, live in enumerate(self._trips, 1):
            trip = live.trip
            driver_id = trip.driver.id
            if self._owns(driver_id):
                sign = id(trip.position), trip.duty.now, trip.has_left_route
                known = before.get(driver_id)
                if known is None or known[:3] != sign:
                    known = (*sign, facts_of(live))
                    changed.append(known[3])
                self._known[driver_id] = known
            if number % TRIPS_PER_STEP == 0:
                yield changed
                changed = []
        yield changed

    def reset(self) -> None:
        """Forget everything, so that all facts count as changed."""
        self._known = {}

    def all(self) -> list[DriverFacts]:
        """Return the facts as collected last."""
        return [known[3] for known in self._known.values()]
