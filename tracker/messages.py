"""The wire: what drivers and customers say to us and we to them, as tagged unions on `type`.

Times going out are strings made by `rfc3339` (UTC, milliseconds); times coming in may carry any offset.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tracker.domain.eta import Eta
from tracker.domain.geo import LonLat
from tracker.domain.policy import Policy
from tracker.domain.track import Fix

FIXES_PER_MESSAGE = 500
FRAME_BYTES = 262_144
FIXES_PER_S = 1_000  # of one driver, over time
NOTE_BYTES = 4_096  # of a customer's message


def rfc3339(at: datetime) -> str:
    """`2026-11-22T16:43:00.250Z`: UTC with milliseconds."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def rfc3339_or_none(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


AwareTime = Annotated[datetime, Meta(tz=True)]
Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # chosen by the client, said back by us


# --- pieces that several messages share


class WireEta(Struct, frozen=True):
    """`Eta` of the public interface."""

    arrives_at: str | None
    earliest: str | None
    latest: str | None
    distance_m: float | None
    stops_before: int
    computed_at: str
    basis: Literal["route", "straight_line", "none"]
    stale: bool

    @classmethod
    def of(cls, eta: Eta) -> "WireEta":
        return cls(
            rfc3339_or_none(eta.arrives_at),
            rfc3339_or_none(eta.earliest),
            rfc3339_or_none(eta.latest),
            None if eta.distance_m is None else round(eta.distance_m, 1),
            eta.stops_before,
            rfc3339(eta.computed_at),
            eta.basis,
            eta.stale,
        )


class Position(Struct, frozen=True):
    """Where we show the driver."""

    lat: float
    lon: float
    heading: float | None
    speed: float | None
    accuracy: float | None
    recorded_at: str


class LineString(Struct, frozen=True):
    """RFC 7946; `[lon, lat]`, six decimals are 0.1 m."""

    coordinates: list[tuple[float, float]]
    type: Literal["LineString"] = "LineString"

    @classmethod
    def of(cls, line: Sequence[LonLat]) -> "LineString":
        return cls([(round(lon, 6), round(lat, 6)) for lon, lat in line])


class Limits(Struct, frozen=True):
    """What one driver connection may send."""

    frame_bytes: int = FRAME_BYTES
    fixes_per_message: int = FIXES_PER_MESSAGE
    fixes_per_s: int = FIXES_PER_S


class WirePlace(Struct, frozen=True):
    lat: float
    lon: float
    address: str | None = None
    service_s: float | None = None


class WireWindow(Struct, frozen=True):
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None


class WireCustomer(Struct, frozen=True):
    """What the driver may know of who waits."""

    name: str | None = None
    phone: str | None = None


class AssignedOrder(Struct, frozen=True):
    """An order as its driver sees it."""

    id: str
    reference: str | None
    status: str
    pickup: WirePlace
    dropoff: WirePlace
    customer: WireCustomer | None
    window: WireWindow | None


class WireDriver(Struct, frozen=True):
    """A driver as they see themselves."""

    id: str
    name: str
    vehicle: str


# --- from anybody


class Ping(Struct, tag="ping", tag_field="type"):
    n: Id | float | str | None = None


class Pong(Struct, tag="pong", tag_field="type"):
    n: Id | float | str | None = None
    now: str | None = None


class Hello(Struct, tag="hello", tag_field="type"):
    token: str


# --- from drivers


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


FromDriver = Fixes | StatusReport | DriverNote | Ping | Pong | Hello


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


class ErrorReply(Struct, tag="error", tag_field="type"):
    """To drivers and customers."""

    id: int | None
    code: str
    detail: str


ToDriver = Ack | Welcome | Orders | PolicyChange | NoteToDriver | Slow | ErrorReply | Ping | Pong


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
