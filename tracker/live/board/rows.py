"""Rows: what dispatchers see of each driver and order, encoded once for all of them, by order of change.

Each change has a revision. A subscription remembers only the revision up to which it has everything. So its
memory does not grow while its client is slow, and the client gets the newest state.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from tracker.domain.geo import LonLat
from tracker.messages.dispatchers import FleetDriver, FleetOrder

GONE_KEPT: Final = 5_000  # rows that were removed last; a client that missed more gets a snapshot

_encode: Final = msgspec.json.Encoder().encode


class DriverRow:
    """One driver. `moved_at` is the revision of the newest position, `changed_at` that of anything else."""

    __slots__ = ("_move", "_state", "_whole", "changed_at", "moved_at", "place", "wire")

    def __init__(self, wire: FleetDriver, revision: int) -> None:
        self.take(wire)
        self.changed_at = self.moved_at = revision

    def take(self, wire: FleetDriver) -> None:
        self.wire = wire
        self.place = LonLat(wire.position.lon, wire.position.lat) if wire.position else None
        self._move: bytes | None = None
        self._state: bytes | None = None
        self._whole: bytes | None = None

    def whole(self) -> bytes:
        """Return the driver as JSON, with all fields."""
        if self._whole is None:
            self._whole = _encode(self.wire)
        return self._whole

    def move(self) -> bytes:
        """Return only the position and its freshness."""
        if self._move is None:
            wire = self.wire
            self._move = _encode(FleetDriver(id=wire.id, position=wire.position, freshness=wire.freshness))
        return self._move

    def state(self) -> bytes:
        """Return the driver without the position."""
        if self._state is None:
            self._state = _encode(msgspec.structs.replace(self.wire, position=UNSET, freshness=UNSET))
        return self._state


class OrderRow:
    """One open order."""

    __slots__ = ("_whole", "changed_at", "wire")

    def __init__(self, wire: FleetOrder, revision: int) -> None:
        self.wire, self.changed_at = wire, revision
        self._whole: bytes | None = None

    def whole(self) -> bytes:
        """Return the order as JSON."""
        if self._whole is None:
            self._whole = _encode(self.wire)
        return self._whole


class Gone(NamedTuple):
    """A driver or order that was removed."""

    revision: int
    id: str
    is_driver: bool


class FleetRows:
    """The rows by id; those that changed last are at the end."""

    def __init__(self) -> None:
        self.revision = 0
        self.drivers: OrderedDict[str, DriverRow] = OrderedDict()
        self.orders: OrderedDict[str, OrderRow] = OrderedDict()
        self._gone: deque[Gone] = deque(maxlen=GONE_KEPT)
        self._gone_since = 0  # revisions from here on have all their removals in `_gone`

    def put_driver(self, wire: FleetDriver) -> None:
        """Set a driver; nothing happens if it is as before."""
        row = self.drivers.get(wire.id)
        if row is not None and row.wire == wire:
            return
        self.revision += 1
        if row is None:
            self.drivers[wire.id] = DriverRow(wire, self.revision)
            return
        if not _differs_by_position_only(row.wire, wire):
            row.changed_at = self.revision
        row.moved_at = self.revision
        row.take(wire)
        self.drivers.move_to_end(wire.id)

    def put_order(self, wire: FleetOrder) -> None:
        """Set an order; nothing happens if it is as before."""
        row = self.orders.get(wire.id)
        if row is not None and row.wire == wire:
            return
        self.revision += 1
        self.orders[wire.id] = OrderRow(wire, self.revision)
        self.orders.move_to_end(wire.id)

    def remove_driver(self, driver_id: str) -> None:
        if self.drivers.pop(driver_id, None) is not None:
            self._note_gone(driver_id, is_driver=True)

    def remove_order(self, order_id: str) -> None:
        if self.orders.pop(order_id, None) is not None:
            self._note_gone(order_id, is_driver=False)

    def _note_gone(self, id_: str, *, is_driver: bool) -> None:
        self.revision += 1
        if len(self._gone) == GONE_KEPT:
            self._gone_since = self._gone[0].revision
        self._gone.append(Gone(self.revision, id_, is_driver))

    # --- what a client misses

    def gone_since(self, revision: int) -> list[Gone] | None:
        """Return what was removed after *revision*; None if that is not known any more."""
        if revision < self._gone_since:
            return None
        found = []
        for gone in reversed(self._gone):
            if gone.revision <= revision:
                break
            found.append(gone)
        return found

    def drivers_since(self, revision: int) -> Iterator[DriverRow]:
        """Yield the drivers that changed after *revision*."""
        for row in reversed(self.drivers.values()):
            if row.moved_at <= revision:
                return
            yield row

    def orders_since(self, revision: int) -> Iterator[OrderRow]:
        """Yield the orders that changed after *revision*."""
        for row in reversed(self.orders.values()):
            if row.changed_at <= revision:
                return
            yield row


def _differs_by_position_only(one: FleetDriver, other: FleetDriver) -> bool:
    return msgspec.structs.replace(one, position=other.position, freshness=other.freshness) == other
