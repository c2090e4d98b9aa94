"""Conversions of orders, views and drivers of the domain to wire structs."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from tracker.domain.geo import LonLat
from tracker.domain.order import BOTH_STOPS, Driver, Note, Order, Place
from tracker.domain.privacy.display_name import name_for_customers
from tracker.domain.privacy.visibility import never_shows_position
from tracker.domain.proof import ProofKind
from tracker.domain.tracks.fix import Fix
from tracker.domain.view import Arrival, CustomerView
from tracker.messages import (
    AssignedOrder,
    CustomerState,
    LineString,
    OrderNote,
    Position,
    TrackedDriver,
    TrackedOrder,
    TrackedPickup,
    TrackedProof,
    WireCustomer,
    WireDriver,
    WireEta,
    WirePickup,
    WirePlace,
    WireRequirements,
    WireStopRequirements,
    WireWindow,
    rfc3339,
    rfc3339_or_none,
)
from tracker.time_zones import time_zone_at


def state_of(view: CustomerView, *, route: LineString | None, trail: LineString | None) -> CustomerState:
    """Return every field of a snapshot. The caller caches the lines, since they seldom change."""
    return {
        "order": tracked_order(view),
        "driver": _driver(view),
        "position": None if view.position is None else position(view.position),
        "eta": None if view.eta is None else WireEta.of(view.eta),
        "stops_before": view.stops_before,
        "route": route,
        "trail": trail,
        "visibility": view.visibility,
        "freshness": view.freshness,
        "pin": view.order.shown_pin,
        "proofs": [TrackedProof(one.id, one.kind, rfc3339(one.at)) for one in view.order.shown_proofs],
    }


def position(fix: Fix) -> Position:
    return Position(fix.lat, fix.lon, fix.heading, fix.speed, fix.accuracy, rfc3339(fix.recorded_at))


def line(places: tuple[LonLat, ...] | list[LonLat]) -> LineString | None:
    """Return the line, or None for fewer than two places (RFC 7946)."""
    return LineString.of(places) if len(places) > 1 else None


def _driver(view: CustomerView) -> TrackedDriver | None:
    if (driver := view.driver) is None:
        return None
    return TrackedDriver(name_for_customers(driver.name, driver.display_name), driver.vehicle)


def tracked_order(view: CustomerView) -> TrackedOrder:
    order, arrival = view.order, view.arrival or Arrival()
    return TrackedOrder(
        order.status,
        order.reference,
        timestamps(order),
        wire_place(order.dropoff),
        window(order),
        rfc3339_or_none(arrival.first_forecast),
        rfc3339_or_none(arrival.at),
        view.outcome,
        not never_shows_position(order),
        _tracked_pickup(order),
        order.customer_instructions,
        None if order.rating is None else order.rating.stars,
    )


def _tracked_pickup(order: Order) -> TrackedPickup | None:
    if order.picked_up_at is not None or order.ended_at is not None:
        return None
    return TrackedPickup(order.pickup.lat, order.pickup.lon)


def timestamps(order: Order) -> dict[str, str]:
    """Return the time of each status that the order has had."""
    times: dict[str, datetime | None] = {
        "created": order.created_at,
        "assigned": order.assigned_at,
        "picked_up": order.picked_up_at,
        "delivered": order.delivered_at,
        "failed": order.failed_at,
        "cancelled": order.cancelled_at,
    }
    return {status: rfc3339(at) for status, at in times.items() if at is not None}


def wire_place(place: Place) -> WirePlace:
    zone = time_zone_at(place.lat, place.lon)
    return WirePlace(place.lat, place.lon, place.address, place.service_s, zone, place.precision)


def wire_pickup(place: Place) -> WirePickup:
    stop = wire_place(place)
    ready_at = rfc3339_or_none(place.ready_at)
    return WirePickup(**msgspec.structs.asdict(stop), ready_at=ready_at)


def window(order: Order) -> WireWindow | None:
    if order.window_from is None and order.window_to is None:
        return None
    return WireWindow(rfc3339_or_none(order.window_from), rfc3339_or_none(order.window_to))


def assigned_order(order: Order, notes: Sequence[Note] = ()) -> AssignedOrder:
    """Return the order as its driver sees it: no e-mail address, and no phone number beside a contact.

    *notes* are those of the customer.
    """
    customer, contact = order.customer, order.contact
    return AssignedOrder(
        order.id,
        order.reference,
        order.status,
        wire_pickup(order.pickup),
        wire_place(order.dropoff),
        None if customer is None else WireCustomer(customer.name, None if contact else customer.phone),
        window(order),
        order.all_instructions,
        contact,
        WireRequirements(*(_stop_requirements(order.required(stop)) for stop in BOTH_STOPS)),
        WireRequirements(*(_stop_requirements(order.missing(stop)) for stop in BOTH_STOPS)),
        [OrderNote(note.text, rfc3339(note.at)) for note in notes],
    )


def _stop_requirements(kinds: Sequence[ProofKind]) -> WireStopRequirements | UnsetType:
    """Return the requirements of a stop without the expected barcode."""
    return WireStopRequirements(**dict.fromkeys(kinds, True)) if kinds else UNSET


def wire_driver(driver: Driver) -> WireDriver:
    return WireDriver(driver.id, driver.name, driver.vehicle)
