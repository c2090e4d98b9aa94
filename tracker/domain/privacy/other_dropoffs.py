"""Dropoffs near which other customers must not see the driver.

A door is the dropoff of one order. It hides the driver while its order is open, and then until the driver has
left. It never hides them from its own customer: the same order, phone number, e-mail address or place.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import hypot
from typing import Final, NamedTuple

import msgspec

from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Customer, Order
from tracker.domain.route import Stop
from tracker.domain.tracks.fix import Fix

HIDING_RADIUS: Final = 100.0  # metres around a door
SAME_PLACE: Final = 30.0  # metres between two doors; for nearer ones, the customers count as one
ENDED_KEPT: Final = 100  # ended doors of one trip, at most
ACCURACY: Final = (10.0, 20.0)  # metres; the minimum, and the value for an unknown accuracy
MAX_MARKER_OFFSET: Final = 50.0  # metres between a fix and the displayed marker or end of the trail, at most
PHONE_DIGITS: Final = 5  # fewer do not identify a customer
COMPARED_DIGITS: Final = 9  # the last digits, without the country code or the trunk prefix 0


class Door(msgspec.Struct, frozen=True):
    """The dropoff of one order, and the contacts of its customer."""

    order_id: str
    at: LonLat
    contacts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, order: Order) -> "Door":
        return cls(order.id, order.dropoff.lonlat, contacts(order.customer))

    def hides_from(self, other: "Door") -> bool:
        """Return whether the customer of *other* must not see the driver near this door."""
        return (
            self.order_id != other.order_id
            and self.contacts.isdisjoint(other.contacts)
            and distance(self.at, other.at) > SAME_PLACE
        )


class EndedDoor(NamedTuple):
    """A door that the driver no longer serves, and the time when its order ended."""

    door: Door
    ended_at: datetime


def contacts(customer: Customer | None) -> frozenset[str]:
    """Return the normalised phone number and e-mail address, by which two orders of one customer match."""
    if customer is None:
        return frozenset()
    text = (_phone(customer.phone or ""), _email(customer.email or ""))
    return frozenset(contact for contact in text if contact)


def _phone(text: str) -> str:
    """Return the last nine digits: "+358 40-1234567", "00358401234567" and "040 123 4567" are equal."""
    written = unicodedata.normalize("NFKC", text).replace("(0)", "")
    digits = "".join(str(unicodedata.decimal(sign)) for sign in written if sign.isdecimal()).lstrip("0")
    is_number = len(digits) >= PHONE_DIGITS and len(set(digits)) > 1  # "1111111" is a placeholder
    return digits[-COMPARED_DIGITS:] if is_number else ""


def _email(text: str) -> str:
    written = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()
    return written if "@" in written.strip("@") else ""


class Doors:
    """The doors of one trip. Each fix is measured against them once, however many customers watch."""

    __slots__ = ("_at", "_ended", "_near", "_open", "_others")

    def __init__(self, at: LonLat | None = None) -> None:
        self._at = at  # the driver's newest position
        self._open: dict[str, Door] = {}
        self._ended: list[Door] = []  # ended, but not left by the driver yet; oldest first
        self._others: dict[str, tuple[LonLat, ...]] = {}  # by order: doors that hide the driver
        self._near: tuple[LonLat, ...] = ()  # the doors within reach of the newest fix

    def take(self, orders: Sequence[Order], stops: Sequence[Stop]) -> bool:
        """Replace the open doors; removed ones become ended ones. Return whether anything changed."""
        taken = {order.id: Door.of(order) for order in orders}
        for stop in stops:  # the door of an order that is not loaded yet hides the driver from all others
            if stop.kind == "dropoff" and stop.order_id not in taken:
                taken[stop.order_id] = Door(stop.order_id, stop.at)
        if taken == self._open:
            return False
        kept = {(door.order_id, door.at) for door in taken.values()}
        self._end(door for door in self._open.values() if (door.order_id, door.at) not in kept)
        self._open = taken
        self._update()
        return True

    def end(self, order_id: str) -> None:
        """End the door of an order that is over or reassigned: it hides the driver until they have left."""
        door = self._open.pop(order_id, None)
        if door is not None:
            self._end([door])
            self._update()

    def restore(self, ended: Iterable[EndedDoor], newest: Fix | None) -> None:
        """Add doors that ended before this trip was loaded, except those that *newest* shows as left."""
        self._end(
            door
            for door, ended_at in ended
            if newest is None or newest.recorded_at <= ended_at or not _has_left(door, newest, None)
        )
        self._update()

    def move(self, fix: Fix, on_route: LonLat | None) -> bool:
        """Update with the newest believed fix. Return whether the driver has left an ended door.

        *on_route* is the place of the fix on the route; a route that begins there must lie outside as well.
        """
        before, self._at = self._at, fix.lonlat
        there = [door for door in self._ended if not _has_left(door, fix, on_route)]
        left = len(there) < len(self._ended)
        if left:
            self._ended = there
            self._others.clear()
        self._measure(before)
        return left

    def others(self, order_id: str) -> tuple[LonLat, ...]:
        """Return the doors that hide the driver from this order's customer."""
        places = self._others.get(order_id)
        if places is None:
            own = self._open.get(order_id)
            doors = (*self._open.values(), *self._ended)
            places = tuple({door.at: None for door in doors if own is None or door.hides_from(own)})
            self._others[order_id] = places
        return places

    def hide(self, order_id: str, at: LonLat | None) -> bool:
        """Return whether a door hides *at*, a place near the newest fix, from this order's customer."""
        if not self._near or at is None:
            return False
        others = self.others(order_id)
        return any(place in others and distance(at, place) <= HIDING_RADIUS for place in self._near)

    def hide_between(self, order_id: str, begin: LonLat, end: LonLat) -> bool:
        """Return whether the line between the last two fixes passes a door hidden from this customer."""
        if not self._near:
            return False
        others = self.others(order_id)
        return any(place in others and _leads_past(begin, end, place) for place in self._near)

    def _end(self, doors: Iterable[Door]) -> None:
        self._ended = [*self._ended, *doors][-ENDED_KEPT:]

    def _update(self) -> None:
        self._others.clear()
        self._measure(self._at)

    def _measure(self, before: LonLat | None) -> None:
        at = self._at
        if at is None or len(self._open) + len(self._ended) < 2:  # a single door hides nothing
            self._near = ()
            return
        reach = HIDING_RADIUS + MAX_MARKER_OFFSET + (0.0 if before is None else distance(before, at))
        places = {door.at: None for door in (*self._open.values(), *self._ended)}
        self._near = tuple(place for place in places if distance(at, place) <= reach)


def _has_left(door: Door, fix: Fix, on_route: LonLat | None) -> bool:
    """Return whether the fix lies outside the radius by more than its own accuracy."""
    least, unknown = ACCURACY
    beyond = HIDING_RADIUS + max(unknown if fix.accuracy is None else fix.accuracy, least)
    if distance(fix.lonlat, door.at) <= beyond:
        return False
    return on_route is None or distance(on_route, door.at) > HIDING_RADIUS


def _leads_past(begin: LonLat, end: LonLat, place: LonLat) -> bool:
    plane = Plane(place)
    (ax, ay), (bx, by) = plane.to_metres(begin), plane.to_metres(end)
    dx, dy = bx - ax, by - ay
    squared = dx * dx + dy * dy
    share = 0.0 if squared == 0.0 else min(max(-(ax * dx + ay * dy) / squared, 0.0), 1.0)
    return hypot(ax + share * dx, ay + share * dy) <= HIDING_RADIUS
