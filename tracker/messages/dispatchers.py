"""Messages from and to dispatchers: every driver and every open order, live."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tracker.domain.driver.device_state import Permission
from tracker.domain.driver.silence import ReasonBasis, SilenceReason
from tracker.domain.order import OrderStatus, Vehicle
from tracker.messages.customers import Freshness
from tracker.messages.devices import WireDuty
from tracker.messages.fields import ErrorReply, Ping, Pong, Position, Time, WireEta, WireWindow

DISPATCHER_BYTES: Final = 4_096  # of a dispatcher's message

Degrees = Annotated[float, Meta(ge=-180.0, le=180.0)]
Risk = Literal["late", "silent", "off_route", "stuck", "battery_low"]

# --- from dispatchers


class DispatcherHello(Struct, tag="hello", tag_field="type"):
    """The first message of a client that can send no header and has no session."""

    key: str
    """The API key."""


class Viewport(Struct, tag="viewport", tag_field="type"):
    """What part of the map the dispatcher looks at. Without one, updates are about all drivers."""

    bbox: tuple[Degrees, Degrees, Degrees, Degrees] | None
    """West, south, east, north in degrees; west > east crosses the antimeridian. Null: everywhere."""


FromDispatcher = DispatcherHello | Viewport | Ping | Pong

# --- to dispatchers


class FleetDevice(Struct, frozen=True):
    """State of the driver's device; each field has the newest value that it reported, or null."""

    battery: float | None
    """Charge of the battery, 0..1."""
    battery_low: bool
    """Whether `battery` is below 0.15 and not being charged."""
    charging: bool | None
    """Whether the battery is being charged."""
    permission: Permission | None
    """Permission of the app to read the position."""
    location_services: bool | None
    """Whether the device's location services are on."""
    power_saving: bool | None
    """Whether the device saves power, which may stop the app in the background."""
    network: str | None
    """Kind of network, such as `wifi`, `mobile` or `none`."""


class FleetSilence(Struct, frozen=True):
    """A driver on duty with an open order sends no positions."""

    since: Time
    """Time of the last position, or when the first one was expected."""
    reason: SilenceReason
    """Likely reason."""
    reason_basis: ReasonBasis
    """Whether the device reported the reason, the service infers it, or there is none."""


class FleetDriver(Struct, frozen=True, kw_only=True):
    """A driver. In an update, `id` and what changed, each field whole."""

    id: str
    """Id of the driver."""
    position: Position | None | UnsetType = UNSET
    """Where the driver is. Null off duty, or if nothing is known."""
    freshness: Freshness | UnsetType = UNSET
    """Age of the position when this was sent: live, stale (at most 120 s old), lost, or none."""
    name: str | UnsetType = UNSET
    """Name of the driver."""
    vehicle: Vehicle | UnsetType = UNSET
    """What the driver uses."""
    reference: str | None | UnsetType = UNSET
    """The merchant's own number of the driver. Null if not given."""
    duty: WireDuty | UnsetType = UNSET
    """Whether the driver works."""
    device: FleetDevice | None | UnsetType = UNSET
    """State of the driver's device. Null if it never reported."""
    silence: FleetSilence | None | UnsetType = UNSET
    """Set while a driver on duty with an open order sends no positions. Null otherwise."""
    off_route: bool | UnsetType = UNSET
    """Whether the driver has left the route."""
    orders: list[str] | UnsetType = UNSET
    """Ids of the open orders, in stop sequence."""


class FleetPlace(Struct, frozen=True):
    """A stop of an order."""

    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    address: str | None
    """Address as people write it. Null if not given."""


class FleetOrder(Struct, frozen=True, kw_only=True):
    """An open order. `GET /v1/orders/{id}` has the rest, such as the customer."""

    id: str
    """Id of the order."""
    reference: str | None
    """The merchant's own number of the order. Null if not given."""
    status: OrderStatus
    """Status of the order."""
    driver_id: str | None
    """Id of the driver. Null while nobody is assigned."""
    created_at: Time
    """When the order was created."""
    pickup: FleetPlace
    """Where the order is picked up."""
    dropoff: FleetPlace
    """Where the order goes."""
    window: WireWindow | None
    """When the customer expects it. Null if not given."""
    eta: WireEta | None
    """Forecast arrival. Null if nothing is known."""
    late_s: int | None
    """Seconds from `window.to` to the arrival, forecast or real; 0 if in time, null if unknown."""
    risks: list[Risk]
    """What is wrong, the worst first. Empty: nothing."""
    attempt: int
    """1, and 1 more with each further attempt."""
    version: int
    """Grows by 1 with each change; also its `ETag`."""


class FleetSnapshot(Struct, tag="snapshot", tag_field="type", frozen=True):
    """A part of the whole state. The first part replaces what the client has, the others add to it."""

    now: Time
    """The server's clock."""
    first: bool
    """Whether this is the first part: forget everything from before."""
    last: bool
    """Whether nothing is missing any more."""
    drivers: list[FleetDriver]
    """Drivers, with all their fields."""
    orders: list[FleetOrder]
    """Open orders."""


class FleetUpdate(Struct, tag="update", tag_field="type", frozen=True):
    """What changed. The newest wins, and steps in between may be missing."""

    now: Time
    """The server's clock."""
    drivers: list[FleetDriver]
    """Drivers that are new or changed: `id` and what changed."""
    orders: list[FleetOrder]
    """Open orders that are new or changed, whole."""
    gone_drivers: list[str]
    """Ids of the drivers that were erased."""
    gone_orders: list[str]
    """Ids of the orders that are over."""


class FleetHeartbeat(Struct, tag="heartbeat", tag_field="type", frozen=True):
    """Nothing has changed. It comes if nothing else does, every 20 s at most."""

    now: Time
    """The server's clock."""


ToDispatcher = FleetSnapshot | FleetUpdate | FleetHeartbeat | Pong | ErrorReply
