"""Messages from and to customers."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracker.domain.order import OrderStatus, Outcome, Vehicle
from tracker.domain.proof import ProofKind
from tracker.messages.fields import (
    ErrorReply,
    LineString,
    Ping,
    Pong,
    Position,
    Time,
    WireEta,
    WirePlace,
    WireWindow,
)

NOTE_BYTES: Final = 4_096  # of a customer's note

CustomerState = Mapping[str, Any]
"""The fields of a snapshot, by name, as they are on the wire."""

# --- from customers


class Seen(Struct, tag="seen", tag_field="type"):
    cursor: str
    """Cursor of the newest message that the page has shown."""


class CustomerNote(Struct, tag="message", tag_field="type"):
    text: str
    """Note to the driver, at most 4,096 bytes of UTF-8."""


FromCustomer = Seen | CustomerNote | Ping | Pong


# --- to customers


class TrackedPickup(Struct, frozen=True):
    """Where an order comes from, as its customer sees it."""

    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""


class TrackedOrder(Struct, frozen=True):
    """An order as its customer sees it."""

    status: OrderStatus
    """Status of the order."""
    reference: str | None
    """The merchant's own number. Null if not given."""
    timestamps: dict[str, Time]
    """When the order came to each status, by status."""
    dropoff: WirePlace
    """Where the order goes."""
    window: WireWindow | None
    """When the customer expects it. Null if not given."""
    first_forecast: Time | None = None
    """Arrival that was forecast first after the pickup. Null before that, or while the ETA is hidden."""
    arrived_at: Time | None = None
    """When the driver arrived at the dropoff. Null before that, after the end, or while the ETA is hidden."""
    outcome: Outcome | None = None
    """Why the delivery failed. Null if it did not, or if no outcome was given."""
    shows_position: bool = True
    """Whether the customer may see the position at some time. False: the merchant's rules forbid it."""
    pickup: TrackedPickup | None = None
    """Where the order comes from. Null once it is picked up or over."""
    instructions: str | None = None
    """The customer's own instructions for the driver. Null if there are none."""
    rating: int | None = None
    """Stars that the customer gave, 1 to 5. Null before that."""


class TrackedProof(Struct, frozen=True):
    """An image that proves the delivery; `GET /v1/track/{token}/proofs/{id}` has it."""

    id: str
    """Id of the proof."""
    kind: ProofKind
    """`photo` or `signature`."""
    at: Time
    """When the driver gave it."""


class TrackedDriver(Struct, frozen=True):
    name: str
    """First name or display name."""
    vehicle: Vehicle
    """What the driver uses."""


Visibility = Literal["live", "hidden", "ended"]
Freshness = Literal["live", "stale", "lost", "none"]


class Snapshot(Struct, tag="snapshot", tag_field="type"):
    """The whole state of the live view."""

    cursor: str
    """Send it as `cursor` to continue from here."""
    now: Time
    """The server's clock."""
    order: TrackedOrder
    """The order."""
    driver: TrackedDriver | None
    """Driver of the order. Null before assignment, and after an end other than the delivery."""
    position: Position | None
    """Where the driver is. Null while hidden or unknown."""
    eta: WireEta | None
    """Forecast arrival. Null while hidden or unknown."""
    stops_before: int | None
    """Stops of other orders before this dropoff. Null while hidden."""
    route: LineString | None
    """The route ahead. Null while hidden or unknown."""
    trail: LineString | None
    """The part of the track that this customer may see. Null while hidden."""
    visibility: Visibility
    """Whether the position is shown, is hidden by a rule, or has ended with the order."""
    freshness: Freshness
    """Age of the position: live, stale (at most 120 s old), lost, or none."""
    pin: str | UnsetType = UNSET
    """Four digits that the customer tells the driver at the door; absent if none are needed now."""
    proofs: list[TrackedProof] | UnsetType = UNSET
    """Images that prove the delivery; absent if there are none or the order is open."""


class Update(Struct, tag="update", tag_field="type", omit_defaults=True):
    """The changed fields, each with its whole value."""

    cursor: str
    """Send it as `cursor` to continue from here."""
    now: Time
    """The server's clock."""
    order: TrackedOrder | UnsetType = UNSET
    """The order."""
    driver: TrackedDriver | None | UnsetType = UNSET
    """Driver of the order. Null before assignment, and after an end other than the delivery."""
    position: Position | None | UnsetType = UNSET
    """Where the driver is. Null while hidden or unknown."""
    eta: WireEta | None | UnsetType = UNSET
    """Forecast arrival. Null while hidden or unknown."""
    stops_before: int | None | UnsetType = UNSET
    """Stops of other orders before this dropoff. Null while hidden."""
    route: LineString | None | UnsetType = UNSET
    """The route ahead. Null while hidden or unknown."""
    trail: LineString | None | UnsetType = UNSET
    """The part of the track that this customer may see. Null while hidden."""
    visibility: Visibility | UnsetType = UNSET
    """Whether the position is shown, is hidden by a rule, or has ended with the order."""
    freshness: Freshness | UnsetType = UNSET
    """Age of the position: live, stale (at most 120 s old), lost, or none."""
    pin: str | None | UnsetType = UNSET
    """Four digits that the customer tells the driver at the door. Null: no longer needed."""
    proofs: list[TrackedProof] | UnsetType = UNSET
    """Images that prove the delivery."""


class NoteToCustomer(Struct, tag="message", tag_field="type"):
    text: str
    """Note from the driver."""
    at: Time
    """When it was sent."""
    from_: str = msgspec.field(name="from", default="driver")
    """Sender; always the driver."""


class Heartbeat(Struct, tag="heartbeat", tag_field="type"):
    cursor: str
    """Send it as `cursor` to continue from here."""
    now: Time
    """The server's clock."""


class End(Struct, tag="end", tag_field="type"):
    reason: Literal["delivered", "failed", "cancelled", "revoked", "expired"]
    """Why the stream ends."""


ToCustomer = Snapshot | Update | NoteToCustomer | Heartbeat | End | Pong | ErrorReply
