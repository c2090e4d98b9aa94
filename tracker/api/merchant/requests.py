"""Request bodies and query strings of merchants, with their limits."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tracker.api.pagination import PageQuery
from tracker.database.orders import OrderFilter
from tracker.domain.order import Customer, Driver, Order, OrderStatus, Place, StopKind, Vehicle
from tracker.domain.privacy.visibility import DEFAULT_LIVE, Rule, Rules
from tracker.errors import FieldError, InvalidFields
from tracker.messages import AwareTime
from tracker.messages.allowed_values import WORDS
from tracker.orders.changes import NewOrder

Latitude = Annotated[float, Meta(ge=-90, le=90, description="Degrees north, WGS 84.")]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="Degrees east, WGS 84.")]
ServiceSeconds = Annotated[float, Meta(ge=0, le=86_400, description="How long the driver needs there.")]
ReadyTime = Annotated[
    datetime, Meta(tz=True, description="When it can be picked up; forecasts and sequences wait for it.")
]
StatusTime = Annotated[
    datetime,
    Meta(tz=True, description="When it happened, from the order's previous status to now. Default: now."),
]
ShortText = Annotated[str, Meta(max_length=200)]
LongText = Annotated[str, Meta(max_length=500)]
Id = Annotated[str, Meta(max_length=100)]


Anywhere = Annotated[
    bool,
    Meta(
        description="Accept a place that looks like a mistake: 0, 0; swapped; more than 100 km off "
        "the map. Its forecasts are straight lines.",
        examples=[True],
    ),
]

ORDER_BYTES: Final = 65_536  # of a body with one order: two addresses and texts in any script
STOPS_BYTES: Final = 131_072  # of a body with 1,000 stops
RULES: Final = 10  # for one field of a customer's view
BBOX_RULE: Final = "must be west,south,east,north in degrees with south <= north, such as 24.9,60.1,25.0,60.2"


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body without unknown fields."""


DriverName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="The driver's name. Customers read the first name only, without titles.",
        examples=["Dr. Anna Schmidt"],
        extra={WORDS: "text of 1 to 200 characters that are not all spaces"},
    ),
]
DisplayName = Annotated[
    str,
    Meta(
        max_length=200,
        description="What customers read in place of the first name: its first 20 characters. "
        "An e-mail address or a phone number is never shown; the first name is shown then.",
        examples=["Anna S."],
    ),
]
DriverReference = Annotated[
    str,
    Meta(max_length=200, description="The merchant's own number of the driver.", examples=["D-17"]),
]


class NewDriver(RequestBody, frozen=True, kw_only=True):
    name: DriverName
    vehicle: Vehicle
    """What the driver uses; routes and forecasts depend on it."""
    reference: DriverReference | None = None
    display_name: DisplayName | None = None


class DriverChangeBody(RequestBody, frozen=True, kw_only=True):
    """Changes to a driver (RFC 7396); null removes the display name or the reference."""

    name: DriverName | UnsetType = UNSET
    """The driver's name."""
    vehicle: Vehicle | UnsetType = UNSET
    """What the driver uses."""
    reference: DriverReference | UnsetType | None = UNSET
    """The merchant's own number of the driver; null removes it."""
    display_name: DisplayName | UnsetType | None = UNSET
    """What customers read in place of the first name; null removes it."""

    def edit(self, driver: Driver) -> Driver:
        """Return the driver with these changes."""
        return _apply(driver, self)


class DriverQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of a list of drivers."""

    reference: DriverReference | None = None
    """Drivers with this number of the merchant's."""


class NewPlace(RequestBody, frozen=True, kw_only=True):
    lat: Latitude
    lon: Longitude
    address: LongText | None = None
    """Address in words, for people; at most 500 characters."""
    service_s: ServiceSeconds | None = None

    def place(self) -> Place:
        return Place(self.lat, self.lon, self.address, self.service_s)


class NewPickup(NewPlace, frozen=True, kw_only=True):
    ready_at: ReadyTime | None = None

    def place(self) -> Place:
        return Place(self.lat, self.lon, self.address, self.service_s, self.ready_at)


class NewCustomer(RequestBody, frozen=True, kw_only=True):
    name: ShortText | None = None
    """Name; at most 200 characters. The driver sees it."""
    phone: Annotated[str, Meta(max_length=50)] | None = None
    """Phone number; at most 50 characters. The driver sees it."""
    email: Annotated[str, Meta(max_length=254)] | None = None
    """E-mail address; at most 254 characters."""

    def customer(self) -> Customer:
        return Customer(self.name, self.phone, self.email)


class NewWindow(RequestBody, frozen=True, kw_only=True):
    """When the customer expects it."""

    from_: AwareTime = msgspec.field(name="from")
    """The customer expects the delivery from this time on."""
    to: AwareTime
    """The customer expects the delivery until this time."""


VisibilityRule = Annotated[
    Rule | Annotated[list[Rule], Meta(max_length=RULES, description="One of them suffices.")],
    Meta(
        extra={
            WORDS: 'always, never, {"stops": n}, {"eta_s": n} or {"distance_m": n} with n of at least 0, '
            f"or a list of at most {RULES} of these"
        }
    ),
]


class NewRules(RequestBody, frozen=True, kw_only=True):
    """Rules for each field of the customer's view. If there are several, one suffices."""

    position: VisibilityRule = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    """When the customer sees the position."""
    route: VisibilityRule = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    """When the customer sees the route."""
    eta: VisibilityRule = "always"
    """When the customer sees the forecast arrival."""
    stops_before: VisibilityRule = "always"
    """When the customer sees the number of stops before theirs."""

    def rules(self) -> Rules:
        return Rules(self.position, self.route, self.eta, self.stops_before)


class NewOrderBody(RequestBody, frozen=True, kw_only=True):
    body_bytes: ClassVar[int] = ORDER_BYTES

    pickup: NewPickup
    """Where to pick the order up."""
    dropoff: NewPlace
    """Where to bring it."""
    reference: ShortText | None = None
    """The merchant's own number; at most 200 characters."""
    customer: NewCustomer | None = None
    """Who waits for it."""
    driver_id: Id | None = None
    """Id of the driver to assign at once."""
    window: NewWindow | None = None
    """When the customer expects it."""
    visibility: NewRules | None = None
    """What the customer sees, and when."""
    anywhere: Anywhere = False

    def order(self) -> NewOrder:
        """Return the order to create. Raises InvalidFields if the window ends before it begins."""
        window_from, window_to = window_of(self.window)
        return NewOrder(
            pickup=self.pickup.place(),
            dropoff=self.dropoff.place(),
            reference=self.reference,
            customer=None if self.customer is None else self.customer.customer(),
            driver_id=self.driver_id,
            window_from=window_from,
            window_to=window_to,
            visibility={} if self.visibility is None else stored_rules(self.visibility),
        )


class PlaceChange(RequestBody, frozen=True, kw_only=True):
    """Changes to a stop (RFC 7396); null removes the address or the service time."""

    lat: Latitude | UnsetType = UNSET
    lon: Longitude | UnsetType = UNSET
    address: LongText | UnsetType | None = UNSET
    """Address in words, for people; at most 500 characters."""
    service_s: ServiceSeconds | UnsetType | None = UNSET


class PickupChange(PlaceChange, frozen=True, kw_only=True):
    ready_at: ReadyTime | UnsetType | None = UNSET


class CustomerChange(RequestBody, frozen=True, kw_only=True):
    name: ShortText | UnsetType | None = UNSET
    """Name; at most 200 characters. The driver sees it."""
    phone: Annotated[str, Meta(max_length=50)] | UnsetType | None = UNSET
    """Phone number; at most 50 characters. The driver sees it."""
    email: Annotated[str, Meta(max_length=254)] | UnsetType | None = UNSET
    """E-mail address; at most 254 characters."""


class OrderChangeBody(RequestBody, frozen=True, kw_only=True):
    """Changes to an order (RFC 7396); null removes the customer, the window or the reference."""

    body_bytes: ClassVar[int] = ORDER_BYTES

    pickup: PickupChange | UnsetType = UNSET
    """New values of the pickup."""
    dropoff: PlaceChange | UnsetType = UNSET
    """New values of the dropoff."""
    reference: ShortText | UnsetType | None = UNSET
    """The merchant's own number; null removes it."""
    customer: CustomerChange | UnsetType | None = UNSET
    """New values of the customer; null removes it."""
    window: NewWindow | UnsetType | None = UNSET
    """New window; null removes it."""
    visibility: NewRules | UnsetType | None = UNSET
    """New rules; null restores the default."""
    anywhere: Anywhere = False
    """Accept a place that looks like a mistake."""

    def edit(self, order: Order) -> Order:
        """Return the order with these changes. Raises InvalidFields if the window ends before it begins."""
        changes: dict[str, Any] = {
            "pickup": _apply(order.pickup, self.pickup),
            "dropoff": _apply(order.dropoff, self.dropoff),
        }
        if self.reference is not UNSET:
            changes["reference"] = self.reference
        if self.customer is not UNSET:
            changes["customer"] = self.customer and _apply(order.customer or Customer(), self.customer)
        if self.window is not UNSET:
            changes["window_from"], changes["window_to"] = window_of(self.window)
        if self.visibility is not UNSET:
            changes["visibility"] = {} if self.visibility is None else stored_rules(self.visibility)
        return msgspec.structs.replace(order, **changes)


class AssignBody(RequestBody, frozen=True, kw_only=True):
    driver_id: Id
    """Id of the driver."""


class StatusBody(RequestBody, frozen=True, kw_only=True):
    status: OrderStatus
    """Status that the order gets. `created` unassigns it."""
    reason: LongText | None = None
    """Why, in words; at most 500 characters."""
    at: StatusTime | None = None


class StopBody(RequestBody, frozen=True, kw_only=True):
    order_id: Id
    """Id of the order."""
    kind: StopKind
    """What happens there."""


class StopsBody(RequestBody, frozen=True, kw_only=True):
    """Every remaining stop once, in the sequence in which the driver is to serve them."""

    body_bytes: ClassVar[int] = STOPS_BYTES

    stops: Annotated[list[StopBody], Meta(max_length=1_000)]
    """Every remaining stop once, in the sequence of serving."""


class NewLinkBody(RequestBody, frozen=True, kw_only=True):
    expires_at: AwareTime | None = None
    """When the link ends. Default: two hours after the order is over."""


class OrderQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of a list of orders."""

    status: str | None = None
    """Orders with this status; several with commas."""
    driver_id: Id | None = None
    """Orders of this driver."""
    reference: ShortText | None = None
    """Orders with this number of the merchant's."""
    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Orders created at or after this time."""
    to: AwareTime | None = None
    """Orders created before this time."""
    bbox: str | None = None
    """Orders whose dropoff lies in west,south,east,north, in degrees."""

    def filter(self) -> OrderFilter:
        """Return the filter. Raises InvalidFields for an unknown status or a malformed box."""
        return OrderFilter(
            status=None if self.status is None else _statuses(self.status),
            driver_id=self.driver_id,
            reference=self.reference,
            created_from=self.from_,
            created_to=self.to,
            bbox=None if self.bbox is None else parse_bbox(self.bbox),
        )


class TrackQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part and accuracy of a track. `limit` and `cursor` count for `.json` only, which comes in pages."""

    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Fixes recorded at or after this time."""
    to: AwareTime | None = None
    """Fixes recorded before this time."""
    simplify: Annotated[float, Meta(ge=0, le=10_000, description="Metres.")] | None = None
    """Metres that the line may differ from the true one."""
    include: Literal["rejected"] | None = None
    """Add the doubted fixes, each with its reason."""
    at: AwareTime | None = None
    """Not the track, but where the order was at this time."""


def window_of(window: NewWindow | None) -> tuple[datetime | None, datetime | None]:
    if window is None:
        return None, None
    if window.to < window.from_:
        raise InvalidFields([FieldError("window.to", "must not be before `from`")])
    return window.from_, window.to


def stored_rules(values: NewRules) -> dict[str, object]:
    kept: dict[str, object] = msgspec.to_builtins(values.rules())
    return kept


def parse_bbox(text: str) -> tuple[float, float, float, float]:
    """Parse `west,south,east,north`; west > east crosses the antimeridian. Raises InvalidFields."""
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise InvalidFields([FieldError("bbox", BBOX_RULE)]) from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidFields([FieldError("bbox", BBOX_RULE)])
    return west, south, east, north


def _statuses(text: str) -> list[OrderStatus]:
    try:
        return [OrderStatus(status) for status in text.split(",")]
    except ValueError:
        possible = ", ".join(OrderStatus)
        raise InvalidFields(
            [FieldError("status", f"must be one or more of {possible}, separated by commas")]
        ) from None


def _apply[T: Struct](value: T, change: Struct | UnsetType) -> T:
    if change is UNSET:
        return value
    values = {name: new for name, new in msgspec.structs.asdict(change).items() if new is not UNSET}
    return msgspec.structs.replace(value, **values)
