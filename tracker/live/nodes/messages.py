"""What nodes say to each other over the bus, as MessagePack. All nodes of a service run one version."""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from tracker.domain.driver.duty import Duty
from tracker.domain.driver.role import Role
from tracker.domain.eta.estimate import Eta
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix, Rejection
from tracker.live.board.facts import DriverFacts
from tracker.live.drivers.trip import Receipt
from tracker.messages import DutyChange, NoteToDriver, Orders, PolicyChange, Update
from tracker.orders.changes import OrderChange

# --- requests to the node that owns a trip


class ForwardedFixes(Struct, tag=True, frozen=True):
    """Fixes that reached another node than the owner."""

    driver_id: str
    readings: list[Fix | Rejection]
    role: Role
    by_app: bool = False


class ReleaseTrip(Struct, tag=True, frozen=True):
    """Ask for a trip whose driver is connected to the asking node."""

    driver_id: str


class SetDuty(Struct, tag=True, frozen=True):
    """Change the duty of a driver whose trip the node owns."""

    driver_id: str
    duty: Duty


class WantedEtas(Struct, tag=True, frozen=True):
    """Ask for the forecasts of orders, by driver."""

    orders: dict[str, list[str]]
    recorded: bool = True  # as forecasts that somebody was given


class WantedPolicies(Struct, tag=True, frozen=True):
    """Ask for the reporting policies of drivers who are connected to the asking node."""

    driver_ids: list[str]


Request = ForwardedFixes | ReleaseTrip | SetDuty | WantedEtas | WantedPolicies


class Stored(Struct, tag=True, frozen=True):
    """The fixes were committed."""

    receipt: Receipt


class Done(Struct, tag=True, frozen=True):
    """The request was carried out."""


class Refused(Struct, tag=True, frozen=True):
    """The request was not carried out: the node owns no such trip, keeps it, or has no database or driver."""

    why: Literal["not_owner", "connected", "storage", "unknown", "rate"]


class Etas(Struct, tag=True, frozen=True):
    """The forecasts of those orders that the node has, by order."""

    etas: dict[str, Eta]


class Policies(Struct, tag=True, frozen=True):
    """The policies of those drivers whose trips the node owns, by driver."""

    policies: dict[str, Policy]


Answer = Stored | Done | Refused | Etas | Policies

# --- to all nodes


class TripOwned(Struct, tag=True, frozen=True):
    """The node has become the owner of the driver's trip."""

    driver_id: str
    node: str


class OrderChanged(Struct, tag=True, frozen=True):
    """A change of an order was committed."""

    change: OrderChange


class LinkRevoked(Struct, tag=True, frozen=True):
    """A tracking link was revoked."""

    link_id: str


class NotesErased(Struct, tag=True, frozen=True):
    """Notes or customer data of an order were erased."""

    order_id: str


class DriverRevoked(Struct, tag=True, frozen=True):
    """A token of a driver was revoked; None: all of them, or the driver was erased."""

    driver_id: str
    token_hash: bytes | None


class DriverChanged(Struct, tag=True, frozen=True):
    """A driver's name or vehicle was changed."""

    driver_id: str


class DriverConnected(Struct, tag=True, frozen=True):
    """A device of a driver has connected to a node; an older one of the same role is replaced."""

    driver_id: str
    role: Role
    since: tuple[float, str]  # see `DriverConnections`


class ToDevices(Struct, tag=True, frozen=True):
    """A message to a driver's devices, wherever they are connected."""

    driver_id: str
    message: Orders | PolicyChange | DutyChange | NoteToDriver


# --- to the node that owns a trip


class WatchedOrder(Struct, array_like=True, frozen=True):
    """An order that customers of a node watch, and what the node knows of it."""

    order_id: str
    driver_id: str
    tag: str  # of the owner's channel
    revision: int


class Watch(Struct, tag=True, frozen=True):
    """A node's customers watch these orders. It is repeated every three seconds."""

    node: str
    orders: list[WatchedOrder]


# --- to a node whose customers watch


class ViewState(Struct, array_like=True, frozen=True):
    """The state of an order for its customers: every field, but a line only if it has changed."""

    order_id: str
    driver_id: str
    version: int  # of the order
    tag: str  # of the owner's channel
    revision: int
    route_at: int  # the revision that last changed the route
    trail_at: int
    fields: Update


class Views(Struct, tag=True, frozen=True):
    """States of several orders, and the answer to a `Watch`."""

    node: str  # the owner
    states: list[ViewState]
    current: list[str] = []  # orders of which the node knows the newest state
    not_owned: list[str] = []  # orders whose trips the sender does not own


# --- for dispatchers


class WatchFleet(Struct, tag=True, frozen=True):
    """A node has dispatchers. It is repeated every three seconds."""

    node: str
    whole: bool = False  # it knows nothing yet


class FleetFacts(Struct, tag=True, frozen=True):
    """Facts about drivers whose trips the sender owns."""

    facts: list[DriverFacts]


Event = (
    TripOwned
    | OrderChanged
    | LinkRevoked
    | NotesErased
    | DriverRevoked
    | DriverChanged
    | DriverConnected
    | ToDevices
    | Watch
    | Views
    | WatchFleet
    | FleetFacts
)

encode: Final = msgspec.msgpack.encode
decode_request: Final = msgspec.msgpack.Decoder(Request).decode
decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode
decode_event: Final = msgspec.msgpack.Decoder(Event).decode
