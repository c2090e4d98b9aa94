"""What one order's customer may see of a trip, including the trail."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.eta.estimate import Eta
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Driver, Order, Outcome
from tracker.domain.tracks.fix import Fix

LIVE_FOR: Final = 15.0  # seconds, at least
STALE_FOR: Final = 120.0  # seconds
TRAIL_STEP: Final = 3.0  # metres between two places of a trail
TRAIL_LENGTH: Final = 1_000  # places; above this, every other one is removed

Freshness = Literal["live", "stale", "lost", "none"]
Visibility = Literal["live", "hidden", "ended"]


class Trail:
    """The driven path as one customer saw it: only places visible when the driver was there."""

    __slots__ = ("places", "version")

    def __init__(self) -> None:
        self.places: list[LonLat] = []
        self.version = 0  # changes with every change other than growth at the end

    def grow(self, place: LonLat) -> None:
        """Append a place, unless it is within TRAIL_STEP of the last one."""
        if self.places and distance(self.places[-1], place) < TRAIL_STEP:
            return
        self.places.append(place)
        if len(self.places) > TRAIL_LENGTH:
            self.places = [*self.places[:-1:2], self.places[-1]]
            self.version += 1

    def restart(self, places: Sequence[LonLat] = ()) -> None:
        """Replace the trail, for instance after a section that stays hidden."""
        if self.places or places:
            self.places = list(places)
            self.version += 1


class Arrival(msgspec.Struct, frozen=True):
    """What a customer may know of an arrival besides its forecast."""

    first_forecast: datetime | None = None  # the first arrival forecast after the pickup
    at: datetime | None = None  # when the driver arrived at the dropoff


class Ending(msgspec.Struct, frozen=True):
    """How an order ended."""

    driver: Driver | None = None  # who delivered it
    outcome: Outcome | None = None  # why it failed


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one order's customer may see now. None: absent or not visible to them."""

    order: Order
    driver: Driver | None = None
    position: Fix | None = None
    eta: Eta | None = None
    arrival: Arrival | None = None
    outcome: Outcome | None = None  # why the order failed
    stops_before: int | None = None
    route: tuple[LonLat, ...] = ()
    trail: Trail | None = None
    visibility: Visibility = "hidden"
    freshness: Freshness = "none"


def view_without_trip(order: Order, ending: Ending | None = None) -> CustomerView:
    """Return the view of an order without a trip: not assigned yet, or over, with its *ending*."""
    if order.ended_at is None or ending is None:
        return CustomerView(order=order, visibility="hidden" if order.ended_at is None else "ended")
    return CustomerView(order=order, driver=ending.driver, outcome=ending.outcome, visibility="ended")


def fresh_until(position: Fix | None, now: datetime, report_every: float) -> datetime | None:
    """Return when `freshness_of` will change by time alone; None: never."""
    freshness = freshness_of(position, now, report_every)
    if position is None or freshness in {"lost", "none"}:
        return None
    lasts_s = max(LIVE_FOR, 3.0 * report_every) if freshness == "live" else STALE_FOR
    return position.recorded_at + timedelta(seconds=lasts_s)


def freshness_of(position: Fix | None, now: datetime, report_every: float) -> Freshness:
    """Classify the age of a position; *report_every* is the expected interval of reports in seconds."""
    if position is None:
        return "none"
    age = (now - position.recorded_at).total_seconds()
    if age <= max(LIVE_FOR, 3.0 * report_every):
        return "live"
    return "stale" if age <= STALE_FOR else "lost"
