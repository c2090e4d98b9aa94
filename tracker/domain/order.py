"""Order: what is delivered, its statuses and the transitions between them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

import msgspec

from tracker.domain.geo import LonLat
from tracker.errors import ForbiddenTransition

Vehicle = Literal["car", "bicycle", "scooter", "foot"]
StopKind = Literal["pickup", "dropoff"]


class OrderStatus(StrEnum):
    """Where an order stands; the words are those of the wire."""

    CREATED = "created"
    ASSIGNED = "assigned"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = OrderStatus
TRANSITIONS: Final[Mapping[OrderStatus, tuple[OrderStatus, ...]]] = {
    _S.CREATED: (_S.ASSIGNED, _S.CANCELLED),
    _S.ASSIGNED: (_S.PICKED_UP, _S.CREATED, _S.FAILED, _S.CANCELLED),
    _S.PICKED_UP: (_S.DELIVERED, _S.FAILED, _S.CANCELLED),
    _S.DELIVERED: (),
    _S.FAILED: (),
    _S.CANCELLED: (),
}
OPEN: Final = frozenset({_S.CREATED, _S.ASSIGNED, _S.PICKED_UP})
ON_THE_ROAD: Final = frozenset({_S.ASSIGNED, _S.PICKED_UP})


def check_transition(status: OrderStatus, wanted: OrderStatus) -> None:
    """Raises ForbiddenTransition with the possible ones where `wanted` cannot follow `status`."""
    if wanted not in TRANSITIONS[status]:
        raise ForbiddenTransition(status, wanted, TRANSITIONS[status])


class Place(msgspec.Struct, frozen=True):
    """Where something is fetched or brought."""

    lat: float  # degrees
    lon: float  # degrees
    address: str | None = None
    service_s: float | None = None  # seconds the driver needs there; None: not known
    ready_at: datetime | None = None  # of a pickup: nothing can be fetched before

    @property
    def lonlat(self) -> LonLat:
        return LonLat(self.lon, self.lat)


class Customer(msgspec.Struct, frozen=True):
    """Who waits for an order."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the database holds it; times are UTC."""

    id: str
    reference: str | None = None
    status: OrderStatus = OrderStatus.CREATED
    created_at: datetime
    driver_id: str | None = None
    pickup: Place
    dropoff: Place
    customer: Customer | None = None
    window_from: datetime | None = None
    window_to: datetime | None = None
    visibility: dict[str, object] = {}  # as it was given; read by domain.visibility
    assigned_at: datetime | None = None  # the latest assignment
    picked_up_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None  # when the server learned that it is over, whatever time was reported
    version: int = 1

    @property
    def ended_at(self) -> datetime | None:
        """When the order was over, or None while it is open."""
        return self.delivered_at or self.failed_at or self.cancelled_at


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """Who moves. `number` is the short key of their fixes in the database, never shown."""

    id: str
    number: int
    name: str
    vehicle: Vehicle
    reference: str | None = None
    display_name: str | None = None  # what customers read in place of the first name
    created_at: datetime
