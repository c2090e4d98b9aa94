"""Request bodies of orders, with their limits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tracker.api.json_bodies import Id, LongText, RequestBody, ShortText, apply_changes
from tracker.api.merchant.customer_bodies import CustomerChange, NewCustomer
from tracker.api.merchant.requirement_bodies import NewRequirements, requirements_of
from tracker.api.merchant.stop_bodies import NewPickup, NewPlace, PickupChange, PlaceChange
from tracker.domain.order import Customer, Order, OrderStatus, Outcome, StopKind
from tracker.domain.privacy.visibility import DEFAULT_LIVE, Rule, Rules
from tracker.errors import FieldError, InvalidFields
from tracker.messages import AwareTime
from tracker.messages.allowed_values import PHRASE
from tracker.orders.addresses import FoundPlace
from tracker.orders.changes import NewOrder

ORDER_BYTES: Final = 131_072  # of a body with one order: addresses, metadata and texts in any script
BULK_BYTES: Final = 2_097_152  # of a body: 4 kB for each of the most orders
BULK_ORDERS: Final = 500

# Decoded one by one, so that a wrong order does not spoil the others.
RawOrder = Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/NewOrderBody"})]
RULES: Final = 10  # for one field of a customer's view
PAIRS: Final = 50  # of metadata
PAIRS_RULE: Final = f"{{…}} with at most {PAIRS} pairs: names of up to 100 characters, texts of up to 500"

StatusTime = Annotated[
    datetime,
    Meta(tz=True, description="When it happened, from the order's previous status to now. Default: now."),
]
Instructions = Annotated[
    str,
    Meta(
        max_length=500,
        description="What the driver has to know, at most 500 characters.",
        examples=["Ring twice, the bell is loud."],
    ),
]
Contact = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^(\+?[(0-9][0-9 ()./*#,;x-]{1,48}|https?://[^\s/?#]+(/\S*|[?#]\S*)?)(?![\s\S])",
        description="Phone number, or http(s) URL, that the driver gets instead of the customer's phone.",
        examples=["+358 40 7654321"],
        extra={PHRASE: "a phone number, such as +358 40 7654321, or a URL that begins with https://"},
    ),
]
PairName = Annotated[str, Meta(min_length=1, max_length=100)]
PairValue = Annotated[str, Meta(max_length=500)]
Metadata = Annotated[
    dict[PairName, PairValue],
    Meta(
        max_length=PAIRS,
        description=f"At most {PAIRS} pairs of text for your own programs, without personal data.",
        examples=[{"shop": "12"}],
        extra={PHRASE: PAIRS_RULE},
    ),
]
MetadataChange = Annotated[
    dict[PairName, PairValue | None],
    Meta(
        description="Pairs to add or replace (RFC 7396). A null value removes its pair.",
        examples=[{"shop": "12", "lane": None}],
        extra={PHRASE: PAIRS_RULE},
    ),
]
Anywhere = Annotated[
    bool,
    Meta(
        description="Accept a place that looks like a mistake: 0, 0; swapped; more than 100 km off "
        "the map. Its forecasts are straight lines.",
        examples=[True],
    ),
]


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
            PHRASE: 'always, never, {"stops": n}, {"eta_s": n} or {"distance_m": n} with n of at least 0, '
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
    """Who receives the order."""
    driver_id: Id | None = None
    """Id of the driver to assign at once."""
    window: NewWindow | None = None
    """When the customer expects it."""
    visibility: NewRules | None = None
    """What the customer sees, and when."""
    instructions: Instructions | None = None
    contact: Contact | None = None
    metadata: Metadata | None = None
    requirements: NewRequirements | None = None
    """What the driver has to prove."""
    anywhere: Anywhere = False

    def addresses(self) -> dict[str, str]:
        """Return the addresses to find, by field. Raises InvalidFields if a stop has no place."""
        stops = {"pickup": self.pickup, "dropoff": self.dropoff}
        if wrong := [error for field, stop in stops.items() for error in stop.errors(field)]:
            raise InvalidFields(wrong)
        return {
            f"{field}.address": stop.address or "" for field, stop in stops.items() if not stop.is_located
        }

    def order(self, found: Mapping[str, FoundPlace]) -> NewOrder:
        """Return the order to create. *found*: the places of its addresses.

        Raises InvalidFields if the window ends before it begins.
        """
        window_from, window_to = window_of(self.window)
        return NewOrder(
            pickup=self.pickup.place(found.get("pickup.address")),
            dropoff=self.dropoff.place(found.get("dropoff.address")),
            reference=self.reference,
            customer=None if self.customer is None else self.customer.customer(),
            driver_id=self.driver_id,
            window_from=window_from,
            window_to=window_to,
            visibility={} if self.visibility is None else stored_rules(self.visibility),
            instructions=self.instructions,
            contact=self.contact,
            metadata=self.metadata or {},
            requirements=requirements_of(self.requirements),
        )


class NewOrdersBody(RequestBody, frozen=True, kw_only=True):
    body_bytes: ClassVar[int] = BULK_BYTES

    orders: Annotated[list[RawOrder], Meta(max_length=BULK_ORDERS)]
    """At most 500 orders, each as in `POST /v1/orders`."""


class OrderChangeBody(RequestBody, frozen=True, kw_only=True):
    """Changes to an order (RFC 7396); null removes an optional field."""

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
    instructions: Instructions | UnsetType | None = UNSET
    """What the driver has to know; null removes it."""
    contact: Contact | UnsetType | None = UNSET
    """Phone number or URL instead of the customer's phone; null removes it."""
    metadata: MetadataChange | UnsetType | None = UNSET
    """Pairs to add, replace or, with null, remove; null instead of all pairs removes them all."""
    requirements: NewRequirements | UnsetType | None = UNSET
    """What the driver has to prove, instead of all before; null: nothing."""
    anywhere: Anywhere = False
    """Accept a place that looks like a mistake."""

    def stops(self) -> dict[StopKind, PlaceChange]:
        """Return the changes to stops."""
        stops: dict[StopKind, PlaceChange | UnsetType] = {"pickup": self.pickup, "dropoff": self.dropoff}
        return {kind: change for kind, change in stops.items() if change is not UNSET}

    def addresses(self) -> dict[StopKind, str]:
        """Return the addresses that come without coordinates."""
        texts = {kind: stop.new_address for kind, stop in self.stops().items()}
        return {kind: text for kind, text in texts.items() if text is not None}

    def edit(self, order: Order, found: Mapping[str, FoundPlace]) -> Order:
        """Return the order with these changes. *found*: the places of new addresses.

        Raises InvalidFields if the window ends before it begins.
        """
        changes: dict[str, Any] = {
            kind: change.edit(order.place(kind), found.get(f"{kind}.address"))
            for kind, change in self.stops().items()
        }
        if changes.get("dropoff", order.dropoff).lonlat != order.dropoff.lonlat:
            changes["given_dropoff"] = None  # the customer's pin no longer counts
        for field in ("reference", "instructions", "contact"):
            if (value := getattr(self, field)) is not UNSET:
                changes[field] = value
        if self.metadata is not UNSET:
            changes["metadata"] = {} if self.metadata is None else merged_pairs(order.metadata, self.metadata)
        if self.customer is not UNSET:
            changes["customer"] = self.customer and apply_changes(order.customer or Customer(), self.customer)
        if self.window is not UNSET:
            changes["window_from"], changes["window_to"] = window_of(self.window)
        if self.visibility is not UNSET:
            changes["visibility"] = {} if self.visibility is None else stored_rules(self.visibility)
        if self.requirements is not UNSET:
            changes["requirements"] = requirements_of(self.requirements)
        return msgspec.structs.replace(order, **changes)


class AssignBody(RequestBody, frozen=True, kw_only=True):
    driver_id: Id
    """Id of the driver."""


class StatusBody(RequestBody, frozen=True, kw_only=True):
    status: OrderStatus
    """Status that the order gets. `created` unassigns it."""
    outcome: Outcome | None = None
    """Why the delivery failed; only with `failed`."""
    reason: LongText | None = None
    """Reason as text, at most 500 characters."""
    at: StatusTime | None = None


def window_of(window: NewWindow | None) -> tuple[datetime | None, datetime | None]:
    if window is None:
        return None, None
    if window.to < window.from_:
        raise InvalidFields([FieldError("window.to", "must not be before `from`")])
    return window.from_, window.to


def merged_pairs(pairs: dict[str, str], change: dict[str, str | None]) -> dict[str, str]:
    """Return the pairs after a merge patch (RFC 7396). Raises InvalidFields if they are too many."""
    merged = {name: value for name, value in (pairs | change).items() if value is not None}
    if len(merged) > PAIRS:
        raise InvalidFields([FieldError("metadata", f"must have at most {PAIRS} pairs after the change")])
    return merged


def stored_rules(values: NewRules) -> dict[str, object]:
    kept: dict[str, object] = msgspec.to_builtins(values.rules())
    return kept
