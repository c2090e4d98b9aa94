"""What merchants get: drivers, orders and links as the public interface shows them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tracker.api.phone_setup import Setup
from tracker.api.visitors import asked_url
from tracker.database.drivers import Activity
from tracker.domain.eta import Eta
from tracker.domain.link import Link, LinkOpen, Way
from tracker.domain.order import Driver, Order
from tracker.domain.order_rules import late_s
from tracker.domain.track import Fix
from tracker.domain.visibility import Rules
from tracker.messages import WireEta, WirePickup, WirePlace, WireWindow, rfc3339, rfc3339_or_none
from tracker.parts import Parts
from tracker.shown import timestamps, window, wire_pickup, wire_place


def base_url(here: Parts) -> str:
    """What our own addresses begin with; without a slash at the end."""
    return (here.config.public_url or asked_url()).rstrip("/")


LateSeconds = Annotated[
    int, Meta(description="How long the arrival (forecast, then real) is after `window.to`; null if unknown.")
]


class CustomerAnswer(Struct, frozen=True):
    name: str | None
    phone: str | None
    email: str | None


class OrderAnswer(Struct, frozen=True, kw_only=True):
    """`Order` of the public interface; `tracking_url` is null once the link opens nothing any more."""

    id: str
    reference: str | None
    status: str
    created_at: str
    driver_id: str | None
    pickup: WirePickup
    dropoff: WirePlace
    customer: CustomerAnswer | None
    window: WireWindow | None
    eta: WireEta | None
    tracking_url: str | None
    timestamps: dict[str, str]
    visibility: Rules
    version: int
    late_s: LateSeconds | None


def order_answer(
    order: Order, *, eta: Eta | None, tracking_url: str | None, arrived_at: datetime | None = None
) -> OrderAnswer:
    customer = order.customer
    foreseen = None if eta is None or order.ended_at is not None else eta.arrives_at
    return OrderAnswer(
        id=order.id,
        reference=order.reference,
        status=order.status.value,
        created_at=rfc3339(order.created_at),
        driver_id=order.driver_id,
        pickup=wire_pickup(order.pickup),
        dropoff=wire_place(order.dropoff),
        customer=None if customer is None else CustomerAnswer(customer.name, customer.phone, customer.email),
        window=window(order),
        eta=None if eta is None else WireEta.of(eta),
        tracking_url=tracking_url,
        timestamps=timestamps(order),
        visibility=msgspec.convert(order.visibility, Rules),
        version=order.version,
        late_s=late_s(order.window_to, arrived_at or order.delivered_at or foreseen),
    )


class FixAnswer(Struct, frozen=True):
    """A fix as it was recorded, and when it came."""

    recorded_at: str
    lat: float
    lon: float
    accuracy: float | None
    speed: float | None
    heading: float | None
    altitude: float | None
    battery: float | None
    received_at: str

    @classmethod
    def of(cls, fix: Fix, received_at: datetime) -> "FixAnswer":
        return cls(
            rfc3339(fix.recorded_at),
            fix.lat,
            fix.lon,
            rounded(fix.accuracy),
            rounded(fix.speed),
            rounded(fix.heading),
            rounded(fix.altitude),
            rounded(fix.battery),
            rfc3339(received_at),
        )


def rounded(reading: float | None) -> float | None:
    """Readings are stored with seven digits; more would be noise of their binary form."""
    return None if reading is None else round(reading, 3)


class DriverAnswer(Struct, frozen=True):
    """A driver; `orders` are ids, in the sequence of the stops."""

    id: str
    name: str
    display_name: str | None
    vehicle: str
    reference: str | None
    created_at: str
    online: bool
    last_fix: FixAnswer | None
    orders: list[str]


def driver_answer(driver: Driver, activity: Activity, *, online: bool) -> DriverAnswer:
    fix, received_at = activity.last_fix, activity.received_at
    return DriverAnswer(
        driver.id,
        driver.name,
        driver.display_name,
        driver.vehicle,
        driver.reference,
        rfc3339(driver.created_at),
        online,
        None if fix is None or received_at is None else FixAnswer.of(fix, received_at),
        list(activity.orders),
    )


class NewDriverAnswer(Struct, frozen=True, kw_only=True):
    """`token` is shown this once; `setup` holds what each phone app needs."""

    id: str
    name: str
    display_name: str | None
    vehicle: str
    reference: str | None
    created_at: str
    token: str
    setup: Setup


class StopAnswer(Struct, frozen=True):
    order_id: str
    kind: str
    lat: float
    lon: float
    service_s: float | None


class StopsAnswer(Struct, frozen=True):
    stops: list[StopAnswer]


class LinkAnswer(Struct, frozen=True):
    id: str
    url: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    opened: int
    last_opened_at: str | None


def link_answer(link: Link, url: str) -> LinkAnswer:
    return LinkAnswer(
        link.id,
        url,
        rfc3339(link.created_at),
        rfc3339_or_none(link.expires_at),
        rfc3339_or_none(link.revoked_at),
        link.opened,
        rfc3339_or_none(link.last_opened_at),
    )


class OpenAnswer(Struct, frozen=True):
    """One opening of a tracking link; `address` is the network it came from.

    The ways `page` and `snapshot` are of earlier versions, which counted these, too.
    """

    at: str
    way: Way
    address: str | None
    agent: str | None


def open_answer(opening: LinkOpen) -> OpenAnswer:
    return OpenAnswer(rfc3339(opening.at), opening.way, opening.network, opening.agent)


class Page[T](Struct, frozen=True):
    """A page of a list; `next` is the cursor of the next one, or null."""

    items: list[T]
    next: str | None


def link_url(here: Parts, link_id: str) -> str:
    """The address that a customer opens."""
    return f"{base_url(here)}/t/{here.link_tokens.token(link_id)}"


def tracking_urls(here: Parts, orders: dict[str, Order], links: list[Link]) -> dict[str, Any]:
    """By order: the address of its first link that still opens."""
    urls: dict[str, Any] = {}
    for link in links:
        if link.order_id not in urls and link.is_live(orders[link.order_id], here.now()):
            urls[link.order_id] = link_url(here, link.id)
    return urls
