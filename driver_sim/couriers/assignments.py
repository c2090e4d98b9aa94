"""Assignments: couriers' identities, suitable orders, and the sequence of stops. Pure and seeded."""

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Final, Literal

import msgspec

from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Place, StopKind, Vehicle
from tracker.domain.route import Stop
from tracker.messages import AssignedOrder, WirePlace

NAMES: Final = (
    *("Aino", "Eero", "Linnea", "Onni", "Helmi", "Väinö", "Ella", "Leo", "Siiri", "Oiva", "Kerttu", "Emil"),
    *(
        "Venla",
        "Toivo",
        "Saara",
        "Ilmari",
        "Hilla",
        "Urho",
        "Lotta",
        "Aarne",
        "Minttu",
        "Samu",
        "Iida",
        "Veikko",
    ),
)
INITIALS: Final = "KLMNPRSTVHJA"
VEHICLES: Final[tuple[Vehicle, ...]] = ("bicycle", "car", "scooter", "foot")
OPEN_STATUSES: Final = frozenset({"assigned", "picked_up"})  # of orders that still have stops to serve

DELIVERY_TIME: Final = 240.0  # seconds from pickup to dropoff: long enough to watch
AIR_SPEED: Final[dict[Vehicle, float]] = {
    "car": 4.5,
    "scooter": 4.2,
    "bicycle": 3.3,
    "foot": 1.0,
}  # m/s, in a straight line
SERVICE_TIME: Final = (20.0, 50.0)  # seconds, shortest and longest
TWO_ORDERS_SHARE: Final = 0.3  # share of trips with two orders

Activity = Literal[
    "starting", "waiting", "to pickup", "at pickup", "to dropoff", "at dropoff", "stopped", "done"
]


class Identity(msgspec.Struct, frozen=True):
    """A courier's reference, name and vehicle."""

    reference: str
    name: str
    vehicle: Vehicle


class Assignment(msgspec.Struct, frozen=True):
    """The places of an order to create."""

    pickup: Place
    dropoff: Place


def make_identity(seed: int, n: int) -> Identity:
    """Return the identity of courier number *n* of a seed. It is the same in every run."""
    name = f"{NAMES[n % len(NAMES)]} {INITIALS[(n + n // len(NAMES)) % len(INITIALS)]}."
    return Identity(f"sim-{seed}-{n}", name, VEHICLES[n % len(VEHICLES)])


def choose_assignment(
    addresses: Sequence[Place], here: LonLat, vehicle: Vehicle, random: Random, *, near: bool = False
) -> Assignment:
    """Choose a pickup near *here* and a dropoff about DELIVERY_TIME from it, within the map.

    With *near*, the pickup is among the closest addresses, so that the live view has something to show soon.
    """
    by_distance = sorted(addresses, key=lambda place: distance(here, place.lonlat))
    first, last = (1, len(by_distance) // 25) if near else (len(by_distance) // 20, len(by_distance) // 5)
    pickup = random.choice(by_distance[first : max(first + 1, last)] or by_distance)
    distance_m = DELIVERY_TIME * AIR_SPEED[vehicle]
    by_fit = sorted(
        (place for place in addresses if place != pickup),
        key=lambda place: abs(distance(pickup.lonlat, place.lonlat) - distance_m),
    )
    dropoff = random.choice(by_fit[: max(1, len(by_fit) // 10)])
    return Assignment(_with_service_time(pickup, random), _with_service_time(dropoff, random))


def _with_service_time(place: Place, random: Random) -> Place:
    return msgspec.structs.replace(place, service_s=round(random.uniform(*SERVICE_TIME)))


def plan(orders: Sequence[AssignedOrder]) -> tuple[Stop, ...]:
    """Return the stops of one trip: the remaining pickups, then the dropoffs."""
    pickups = [_stop(one, "pickup", one.pickup) for one in orders if one.status == "assigned"]
    dropoffs = [_stop(one, "dropoff", one.dropoff) for one in orders]
    return (*pickups, *dropoffs)


def _stop(order: AssignedOrder, kind: StopKind, place: WirePlace) -> Stop:
    service = sum(SERVICE_TIME) / 2 if place.service_s is None else place.service_s
    return Stop(order.id, kind, LonLat(place.lon, place.lat), service)


def opens_at(order: AssignedOrder, kind: StopKind) -> datetime | None:
    """Return when the order is ready (pickup) or its window begins (dropoff), if it says so."""
    window = order.window
    at = order.pickup.ready_at if kind == "pickup" else None if window is None else window.from_
    return None if at is None else datetime.fromisoformat(at)
