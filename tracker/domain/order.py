"""Orders, their statuses and the transitions between them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.proof import WITH_IMAGE, GivenProof, ProofKind, Requirements
from tracker.errors import ForbiddenTransition

Vehicle = Literal["car", "bicycle", "scooter", "foot"]
StopKind = Literal["pickup", "dropoff"]
BOTH_STOPS: Final[tuple[StopKind, ...]] = ("pickup", "dropoff")
Precision = Literal["exact", "house", "street", "place"]
"""How well the place of a stop is known: `exact` from the merchant, or what its address gave."""
Sender = Literal["customer", "driver"]
Outcome = Literal["not_home", "wrong_address", "refused", "no_access", "damaged", "missing_item", "other"]
"""Why a delivery failed, for programs."""


class OrderStatus(StrEnum):
    """Status of an order; the values are those of the API."""

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
    """Check a transition. Raises ForbiddenTransition, with the allowed statuses."""
    if wanted not in TRANSITIONS[status]:
        raise ForbiddenTransition(status, wanted, TRANSITIONS[status])


class Place(msgspec.Struct, frozen=True):
    """The place of a pickup or dropoff."""

    lat: float  # degrees
    lon: float  # degrees
    address: str | None = None
    service_s: float | None = None  # seconds at the stop; None: unknown
    ready_at: datetime | None = None  # of a pickup: earliest time of collection
    precision: Precision = "exact"

    @property
    def lonlat(self) -> LonLat:
        return LonLat(self.lon, self.lat)


class Customer(msgspec.Struct, frozen=True):
    """The recipient of an order."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    language: str | None = None  # BCP 47


class Note(NamedTuple):
    """A text between a customer and a driver."""

    sender: Sender
    text: str
    at: datetime


class Rating(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the customer thinks of the delivery."""

    stars: int  # 1..5
    at: datetime
    text: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the database stores it; times are in UTC."""

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
    visibility: dict[str, object] = {}  # as the merchant sent it; parsed into privacy.visibility.Rules
    assigned_at: datetime | None = None  # the latest assignment
    picked_up_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    attempt: int = 1  # how often it was tried, with the present attempt
    attempt_at: datetime | None = None  # when a further attempt began; None: it is the first
    closed_at: datetime | None = None  # when the server received its end, whatever time was reported
    version: int = 1
    instructions: str | None = None  # for the driver
    contact: str | None = None  # phone number or URL that the driver gets instead of the customer's phone
    metadata: dict[str, str] = {}  # the merchant's own pairs
    requirements: Requirements = Requirements()  # what the driver has to prove
    proofs: tuple[GivenProof, ...] = ()  # of the present driver
    customer_instructions: str | None = None  # for the driver, from the customer
    given_dropoff: LonLat | None = None  # where the merchant put it, once the customer has moved the pin
    rating: Rating | None = None
    pin: str | None = None  # for the customer's eyes only; None: the order is over or needs none

    @property
    def ended_at(self) -> datetime | None:
        """When the order ended; None while it is open."""
        return self.delivered_at or self.failed_at or self.cancelled_at

    @property
    def shown_pin(self) -> str | None:
        """The PIN that the customer's page shows; None if it is given, not needed, or the order is over."""
        return self.pin if self.status in OPEN and "pin" in self.missing("dropoff") else None

    @property
    def shown_proofs(self) -> tuple[GivenProof, ...]:
        """The images that the customer's page shows, once the order is over."""
        if self.status in OPEN:
            return ()
        return tuple(one for one in self.proofs if one.stop == "dropoff" and one.kind in WITH_IMAGE)

    @property
    def all_instructions(self) -> str | None:
        """What the driver has to know, from the merchant and then the customer."""
        return "\n".join(filter(None, (self.instructions, self.customer_instructions))) or None

    def place(self, kind: StopKind) -> Place:
        """Return the place of the order's pickup or dropoff."""
        return self.pickup if kind == "pickup" else self.dropoff

    def required(self, stop: StopKind) -> tuple[ProofKind, ...]:
        """Return the kinds of proof that a stop needs."""
        at_stop = self.requirements.pickup if stop == "pickup" else self.requirements.dropoff
        return () if at_stop is None else at_stop.kinds

    def missing(self, stop: StopKind) -> tuple[ProofKind, ...]:
        """Return the kinds of proof that a stop needs and its present driver has not given."""
        given = {proof.kind for proof in self.proofs if proof.stop == stop}
        return tuple(kind for kind in self.required(stop) if kind not in given)


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """A driver. `number` is the short key of their fixes in the database, never exposed."""

    id: str
    number: int
    name: str
    vehicle: Vehicle
    reference: str | None = None
    display_name: str | None = None  # what customers read instead of the first name
    created_at: datetime
