"""Drivers: what they say to us and we to them."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from tracker.domain.policy import Policy
from tracker.domain.track import Fix
from tracker.messages.pieces import AwareTime, ErrorReply, Id, Ping, Pong, WirePickup, WirePlace, WireWindow

FIXES_PER_MESSAGE: Final = 500
FRAME_BYTES: Final = 262_144
FIXES_PER_S: Final = 1_000  # of one driver, over time


class Limits(Struct, frozen=True):
    """What one driver connection may send."""

    frame_bytes: int = FRAME_BYTES
    fixes_per_message: int = FIXES_PER_MESSAGE
    fixes_per_s: int = FIXES_PER_S


class WireCustomer(Struct, frozen=True):
    """What the driver may know of who waits."""

    name: str | None = None
    phone: str | None = None


class AssignedOrder(Struct, frozen=True):
    """An order as its driver sees it."""

    id: str
    reference: str | None
    status: str
    pickup: WirePickup
    dropoff: WirePlace
    customer: WireCustomer | None
    window: WireWindow | None


class WireDriver(Struct, frozen=True):
    """A driver as they see themselves."""

    id: str
    name: str
    vehicle: str


# --- from drivers


class Hello(Struct, tag="hello", tag_field="type"):
    token: str


class Fixes(Struct, tag="fixes", tag_field="type"):
    """1..500 fixes. Decoded strictly first; `RawFixes` takes over where one of them is wrong."""

    id: Id
    fixes: list[Fix]


class RawFixes(Struct, tag="fixes", tag_field="type"):
    """The same, with the fixes as they came: for naming the wrong ones without losing their neighbours."""

    id: Id
    fixes: list[Any]


class StatusReport(Struct, tag="status", tag_field="type"):
    id: Id
    order_id: str
    status: Literal["picked_up", "delivered", "failed"]
    reason: str | None = None
    at: AwareTime | None = None


class DriverNote(Struct, tag="message", tag_field="type"):
    id: Id
    order_id: str
    text: str


class Navigation(Struct, tag="navigation", tag_field="type"):
    """When the driver is at the next stop, by the device's own navigation; null: it guides no longer.

    It counts for a minute and is not acknowledged: it is no fact, and history does not keep it.
    """

    arrives_at: AwareTime | None


FromDriver = Fixes | StatusReport | DriverNote | Navigation | Ping | Pong | Hello


# --- to drivers


class RejectedFix(Struct, frozen=True):
    index: int
    reason: str


class Ack(Struct, tag="ack", tag_field="type", omit_defaults=True):
    """Durably stored. For fixes all three counts are given."""

    id: int | None
    stored: int | UnsetType = UNSET
    duplicates: int | UnsetType = UNSET
    rejected: list[RejectedFix] | UnsetType = UNSET


class Welcome(Struct, tag="welcome", tag_field="type"):
    driver: WireDriver
    orders: list[AssignedOrder]
    now: str
    policy: Policy = Policy()
    limits: Limits = Limits()


class Orders(Struct, tag="orders", tag_field="type"):
    orders: list[AssignedOrder]


class PolicyChange(Struct, tag="policy", tag_field="type"):
    policy: Policy


class NoteToDriver(Struct, tag="message", tag_field="type"):
    order_id: str
    text: str
    at: str


class Slow(Struct, tag="slow", tag_field="type"):
    retry_s: float = 5
    reason: str = "storage"


ToDriver = Ack | Welcome | Orders | PolicyChange | NoteToDriver | Slow | ErrorReply | Ping | Pong
