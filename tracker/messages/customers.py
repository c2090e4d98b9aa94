"""Customers: what they say to us and we to them."""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracker.messages.pieces import (
    ErrorReply,
    LineString,
    Ping,
    Pong,
    Position,
    WireEta,
    WirePlace,
    WireWindow,
)

NOTE_BYTES: Final = 4_096  # of a customer's message

# --- from customers


class Seen(Struct, tag="seen", tag_field="type"):
    cursor: str


class CustomerNote(Struct, tag="message", tag_field="type"):
    text: str


FromCustomer = Seen | CustomerNote | Ping | Pong


# --- to customers


class TrackedOrder(Struct, frozen=True):
    """An order as its customer sees it."""

    status: str
    reference: str | None
    timestamps: dict[str, str]
    dropoff: WirePlace
    window: WireWindow | None


class TrackedDriver(Struct, frozen=True):
    name: str  # the first name only
    vehicle: str


Visibility = Literal["live", "hidden", "ended"]
Freshness = Literal["live", "stale", "lost", "none"]


class Snapshot(Struct, tag="snapshot", tag_field="type"):
    """All that is needed to start."""

    cursor: str
    now: str
    order: TrackedOrder
    driver: TrackedDriver | None
    position: Position | None
    eta: WireEta | None
    stops_before: int | None
    route: LineString | None
    trail: LineString | None
    visibility: Visibility
    freshness: Freshness


class Update(Struct, tag="update", tag_field="type", omit_defaults=True):
    """The fields that changed, each whole."""

    cursor: str
    now: str
    order: TrackedOrder | UnsetType = UNSET
    driver: TrackedDriver | None | UnsetType = UNSET
    position: Position | None | UnsetType = UNSET
    eta: WireEta | None | UnsetType = UNSET
    stops_before: int | None | UnsetType = UNSET
    route: LineString | None | UnsetType = UNSET
    trail: LineString | None | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    freshness: Freshness | UnsetType = UNSET


class NoteToCustomer(Struct, tag="message", tag_field="type"):
    text: str
    at: str
    from_: str = msgspec.field(name="from", default="driver")


class Heartbeat(Struct, tag="heartbeat", tag_field="type"):
    cursor: str
    now: str


class End(Struct, tag="end", tag_field="type"):
    reason: Literal["delivered", "failed", "cancelled", "revoked", "expired"]


ToCustomer = Snapshot | Update | NoteToCustomer | Heartbeat | End | Pong | ErrorReply
