"""Memory: the database, recorder and router of a simulated node, as far as live views read them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from tracker.domain.geo import LonLat, distance, interpolate
from tracker.domain.leg import Leg
from tracker.domain.order import ON_THE_ROAD, Customer, Driver, Order, Place, StopKind
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.trip import Trip
from tracker.fix_recorder import Recorded

STREET_STEP = 40.0  # metres between two places of a route
SPEED = 8.0  # m/s


class Memory:
    """What outlives a node: rows by the names of the statements that read them."""

    in_doubt = False  # nothing waits for a standby

    def __init__(self) -> None:
        self.drivers: dict[str, Driver] = {}
        self.orders: dict[str, Order] = {}
        self.stops: dict[str, list[tuple[str, StopKind]]] = {}  # by driver, in sequence
        self.assignments: list[tuple[int, str, datetime]] = []  # ended ones: driver, order, when
        self.states: dict[int, Fix] = {}
        self.milestones: dict[str, dict[str, datetime]] = {}
        self.duty: dict[int, list[dict[str, Any]]] = {}  # intervals, by driver

    # --- what the service asks

    async def fetchrow(self, name: str, *given: Any) -> Any:
        if name in {"select_driver", "select_driver_to_load"}:
            return _driver_row(self.drivers.get(given[0]))
        if name == "lock_lease_owner":
            return None
        assert name == "select_order", name
        order = self.orders.get(given[0])
        return None if order is None else _order_row(order)

    async def fetch(self, name: str, *given: Any) -> Any:
        read = getattr(self, f"_{name}", None)
        return [] if read is None else read(*given)

    async def fetchval(self, name: str, *_given: Any) -> int | None:
        return 1 if name in {"lock_driver_for_lease", "upsert_lease"} else None

    async def execute(self, name: str, *given: Any) -> None:
        """Of what is written beside orders and fixes, only duty is read here."""
        if name == "insert_duty_interval":
            number, duty, at = given
            self.duty.setdefault(number, []).append({"duty": duty, "begun_at": at, "ended_at": None})
        if name == "end_duty_interval":
            for interval in self.duty.get(given[0], []):
                interval["ended_at"] = interval["ended_at"] or given[1]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Memory"]:
        yield self

    async def note(self, order_id: str, kind: str, at: datetime) -> bool:
        """A milestone, once."""
        return self.milestones.setdefault(order_id, {}).setdefault(kind, at) == at

    async def record(self, *_given: Any, **_more: Any) -> Recorded:
        """Fixes are kept when the node ends; see `World.restart`."""
        return Recorded(0, 0)

    # --- statements

    def _select_orders_of_driver(self, driver_id: str) -> list[dict[str, Any]]:
        ids = dict.fromkeys(order_id for order_id, _ in self.stops.get(driver_id, []))
        orders = [self.orders[order_id] for order_id in ids]
        return [_order_row(one) for one in orders if one.driver_id == driver_id and one.status in ON_THE_ROAD]

    def _select_stops(self, driver_id: str) -> list[dict[str, Any]]:
        return [
            _order_row(self.orders[order_id]) | {"order_id": order_id, "kind": kind}
            for order_id, kind in self.stops.get(driver_id, [])
        ]

    def _lock_drivers(self, driver_ids: Sequence[str]) -> list[dict[str, Any] | None]:
        return [_driver_row(self.drivers.get(driver_id)) for driver_id in driver_ids]

    def _select_duty_intervals(self, number: int) -> list[dict[str, Any]]:
        return self.duty.get(number, [])

    def _select_driver_states(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        found = [(number, self.states[number]) for number in numbers if number in self.states]
        return [
            {"driver": number, "received_at": fix.recorded_at, "reason": None} | msgspec.structs.asdict(fix)
            for number, fix in found
        ]

    def _select_milestones(self, order_ids: Sequence[str]) -> list[tuple[str, str, datetime]]:
        return [(one, kind, at) for one in order_ids for kind, at in self.milestones.get(one, {}).items()]

    def _select_ended_dropoffs(self, number: int, since: datetime, limit: int) -> list[tuple[Any, ...]]:
        ended = [(one, at) for driver, one, at in self.assignments if driver == number and at >= since]
        rows = [(self.orders[one], at) for one, at in sorted(ended, key=lambda end: end[1])[-limit:]]
        return [
            (order.id, order.dropoff.lat, order.dropoff.lon, _customer_row(order.customer), at)
            for order, at in rows
        ]


def _driver_row(driver: Driver | None) -> dict[str, Any] | None:
    return None if driver is None else msgspec.structs.asdict(driver) | {"generation": 0}


def _customer_row(customer: Customer | None) -> dict[str, Any] | None:
    return None if customer is None else msgspec.structs.asdict(customer)


def _order_row(order: Order) -> dict[str, Any]:
    """Places are columns of their own."""
    row = msgspec.structs.asdict(order) | {"status": order.status.value}
    for kind in ("pickup", "dropoff"):
        place: Place = row.pop(kind)
        row |= {f"{kind}_{field}": value for field, value in msgspec.structs.asdict(place).items()}
    return row | {"customer": _customer_row(order.customer)}


class Streets:
    """A router in a town whose streets run north and east."""

    async def route(self, places: Sequence[LonLat], _vehicle: str, **_more: Any) -> tuple[Leg, ...]:
        return tuple(leg(begin, end) for begin, end in pairwise(places))


def leg(begin: LonLat, end: LonLat) -> Leg:
    line = street(begin, end)
    metres = sum(distance(a, b) for a, b in pairwise(line))
    return Leg(tuple(line), metres, metres / SPEED)


def street(begin: LonLat, end: LonLat) -> list[LonLat]:
    """First along the parallel, then along the meridian."""
    line = [begin]
    for corner in (LonLat(end.lon, begin.lat), end):
        count = max(int(distance(line[-1], corner) / STREET_STEP), 1)
        before = line[-1]
        line += [interpolate(before, corner, (n + 1) / count) for n in range(count)]
    return line


class NoHindsight:
    """Nothing is learned, and no forecast kept."""

    async def new_trip(self, driver: Driver, known: Sequence[JudgedFix]) -> Trip:
        return Trip(driver, known)

    async def order_changed(self, *_given: Any) -> None:
        """Nothing to learn."""

    def record_views(self, *_given: Any) -> None:
        """Not kept."""

    def record_forecast(self, *_given: Any) -> None:
        """Not kept."""

    async def keep(self, _trips: Any) -> None:
        """Until cancelled."""
