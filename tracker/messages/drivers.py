"""Messages from and to drivers."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from tracker.domain.driver.role import Role
from tracker.domain.order import OrderStatus, Outcome, Vehicle
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix, Rejection
from tracker.messages.devices import DeviceMessage, DutyChange, DutyReport, WireDuty
from tracker.messages.fields import (
    AwareTime,
    ErrorReply,
    Id,
    Ping,
    Pong,
    Time,
    WirePickup,
    WirePlace,
    WireWindow,
)

FIXES_PER_MESSAGE: Final = 500
FRAME_BYTES: Final = 262_144
FIXES_PER_S: Final = 1_000  # of one driver, over time


class Limits(Struct, frozen=True):
    """What one driver connection may send."""

    frame_bytes: int = FRAME_BYTES
    """Most bytes of one message."""
    fixes_per_message: int = FIXES_PER_MESSAGE
    """Most fixes in one message."""
    fixes_per_s: int = FIXES_PER_S
    """Most fixes a second, over time."""


class WireCustomer(Struct, frozen=True):
    """The customer of an order, as the driver sees them."""

    name: str | None = None
    """Name of the customer. Null if not given."""
    phone: str | None = None
    """Phone number of the customer. Null if not given, or if the order has a `contact`."""


class WireStopRequirements(Struct, frozen=True, omit_defaults=True):
    """The proofs that a stop needs; what is absent is not needed."""

    photo: bool = False
    """A photo."""
    signature: bool = False
    """The image of a signature."""
    barcode: bool = False
    """The text of a barcode, scanned; the server knows the right one."""
    pin: bool = False
    """The PIN that the customer's page shows."""


class WireRequirements(Struct, frozen=True, omit_defaults=True):
    """What the driver has to prove; a stop that is absent needs no proof."""

    pickup: WireStopRequirements | UnsetType = UNSET
    """Before `picked_up`."""
    dropoff: WireStopRequirements | UnsetType = UNSET
    """Before `delivered`."""


class OrderNote(Struct, frozen=True):
    """A note from the customer of an order."""

    text: str
    """The note."""
    at: Time
    """When it was sent; the message that announced it has the same time."""


class AssignedOrder(Struct, frozen=True):
    """An order as its driver sees it."""

    id: str
    """Id of the order."""
    reference: str | None
    """The merchant's own number. Null if not given."""
    status: OrderStatus
    """Status of the order."""
    pickup: WirePickup
    """Where to pick the order up."""
    dropoff: WirePlace
    """Where to bring it."""
    customer: WireCustomer | None
    """Who receives the order. Null if not given."""
    window: WireWindow | None
    """When the customer expects it. Null if not given."""
    instructions: str | None = None
    """What the driver has to know, from the merchant and then the customer. Null if not given."""
    contact: str | None = None
    """Phone number or URL to reach the customer by, instead of `customer.phone`. Null if not given."""
    requirements: WireRequirements = WireRequirements()
    """What the driver has to prove. Empty: nothing."""
    missing_proofs: WireRequirements = WireRequirements()
    """What of it the driver has not proved yet."""
    notes: list[OrderNote] = []
    """The customer's notes, oldest first, also those sent while the driver was disconnected. If their texts
    have over 16,384 bytes together, the newest ones within that."""


class WireDriver(Struct, frozen=True):
    """A driver as they see themselves."""

    id: str
    """Id of the driver."""
    name: str
    """Name of the driver."""
    vehicle: Vehicle
    """What the driver uses."""


# --- from drivers


class Hello(Struct, tag="hello", tag_field="type"):
    """Authentication without an `Authorization` header, and the role of this connection."""

    token: str | None = None
    """The driver's token. Required without an `Authorization` header."""
    role: Role | None = None
    """`source` sends positions, `screen` shows orders. Default: `?role=` of the URL, else `source`."""


class Fixes(Struct, tag="fixes", tag_field="type"):
    """1 to 500 fixes. `RawFixes` replaces it if one of them is wrong."""

    id: Id
    """A number that the client chooses; the ack repeats it."""
    fixes: list[Fix]
    """1 to 500 fixes, in any sequence."""


class RawFixes(Struct, tag="fixes", tag_field="type"):
    """Undecoded fixes, to reject the wrong ones with a reason and store the others."""

    id: Id
    """A number that the client chooses; the ack repeats it."""
    fixes: list[Any]
    """1 to 500 fixes, in any sequence."""


class StatusReport(Struct, tag="status", tag_field="type"):
    id: Id
    """A number that the client chooses; the ack repeats it."""
    order_id: str
    """Id of the order."""
    status: Literal["picked_up", "delivered", "failed"]
    """New status of the order."""
    reason: str | None = None
    """Reason as text, at most 500 characters."""
    at: AwareTime | None = None
    """When it happened, by the device's clock. Default: now."""
    outcome: Outcome | None = None
    """Why the delivery failed; only with `failed`."""


class DriverNote(Struct, tag="message", tag_field="type"):
    id: Id
    """A number that the client chooses; the ack repeats it."""
    order_id: str
    """Id of the order."""
    text: str
    """Note to the customer of this order."""
    key: str | None = None
    """A random text that the client chooses, at most 255 characters: the same note with the same key is
    delivered once. Default: no protection against a repetition."""


class Navigation(Struct, tag="navigation", tag_field="type"):
    """Arrival at the next stop by the device's own navigation.

    It is valid for a minute, is not acknowledged and does not enter the history.
    """

    arrives_at: AwareTime | None
    """Arrival at the next stop by the device's own navigation; null when it stops guiding."""


FromDriver = Fixes | StatusReport | DriverNote | DutyReport | DeviceMessage | Navigation | Ping | Pong | Hello


# --- to drivers


class RejectedFix(Struct, frozen=True):
    index: int
    """Position of the fix in the message, from 0."""
    reason: Rejection
    """Why the fix is not stored."""


class Ack(Struct, tag="ack", tag_field="type", omit_defaults=True):
    """A message is durably stored. For fixes it has all three counts."""

    id: int | None
    """Id of the message that is stored. Null if it had none."""
    stored: int | UnsetType = UNSET
    """Number of fixes that are new."""
    duplicates: int | UnsetType = UNSET
    """Number of fixes that were stored before."""
    rejected: list[RejectedFix] | UnsetType = UNSET
    """Fixes that are not stored, each with its reason."""
    discarded: int = 0
    """Number of fixes that were recorded off duty; the service keeps nothing of them. Absent if 0."""


class Welcome(Struct, tag="welcome", tag_field="type"):
    driver: WireDriver
    """The driver of this token."""
    orders: list[AssignedOrder]
    """The driver's open orders, in stop sequence."""
    now: Time
    """The server's clock."""
    policy: Policy = Policy()
    """How often to report."""
    limits: Limits = Limits()
    """What this connection may send."""
    duty: WireDuty = WireDuty(on=True, on_break=False)
    """Whether the driver works."""


class Orders(Struct, tag="orders", tag_field="type"):
    orders: list[AssignedOrder]
    """The driver's open orders, in stop sequence."""


class PolicyChange(Struct, tag="policy", tag_field="type"):
    policy: Policy
    """How often to report from now on."""


class NoteToDriver(Struct, tag="message", tag_field="type"):
    order_id: str
    """Id of the order."""
    text: str
    """Note from the customer."""
    at: Time
    """When it was sent."""


class Slow(Struct, tag="slow", tag_field="type"):
    retry_s: float = 5
    """Seconds to wait before sending again."""
    reason: str = "storage"
    """What the service waits for."""


ToDriver = Ack | Welcome | Orders | PolicyChange | DutyChange | NoteToDriver | Slow | ErrorReply | Ping | Pong
