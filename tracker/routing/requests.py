"""Requests to the engine, in its JSON format."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference

COSTINGS: Final[Mapping[Vehicle, str]] = {
    "car": "auto",
    "bicycle": "bicycle",
    "scooter": "motor_scooter",
    "foot": "pedestrian",
}
SEARCH_CUTOFF: Final = 300  # metres to the nearest street; otherwise a place 27 km off the map gets a route
HEADING_TOLERANCE: Final = 60  # degrees between the driver's heading and the route's first street
SIDE_TOLERANCE: Final = 1  # metres from the middle of a street; a stop further away is on one of its sides
BESIDE: Final = 8  # metres to the street of a stop with a side; the nearest street may be the end of an alley
# With a time of day the engine searches from the origin only. That search turns round at the end of a
# street, as drivers do; the bidirectional search never enters a dead end. The tiles have no time zones and no
# speeds by the hour, so the time changes nothing else.
ONE_DIRECTION_SEARCH: Final = {"type": 1, "value": "2024-01-01T03:00"}


class Nearby(NamedTuple):
    """Which streets a route may begin or end on: the nearest one if none is within *radius*."""

    radius: int  # metres; all streets within it count as equally likely
    reachability: int  # number of nodes that must be reachable from the street, and reach it


NEAREST: Final = Nearby(0, 100)
# 15 m is the error of a GPS receiver. Counting 100 nodes around each street takes 70 % of such a request.
NEAR: Final = Nearby(15, 20)
# A route must not start on an isolated street; the edge of an extract isolates one-way streets. In the demo
# area 13 % of random pairs have no route with the default of 50 nodes, but only 1 to 4 % with 100.
NEAR_CONNECTED: Final = Nearby(15, 100)
# The nearest street may still have no exit: this affects up to 10 % of the pairs on two wheels. With any
# street within the engine's limit, 0 to 2 % have no route.
ANYWHERE: Final = Nearby(200, 100)


def route_request(
    places: Sequence[LonLat],
    vehicle: Vehicle,
    *,
    nearby: Nearby,
    heading: float | None,
    preference: RoutePreference,
) -> str:
    """Return the request for a route through the places."""
    locations = _locations(places, nearby, preference)
    if heading is not None:
        locations[0] |= {"heading": round(heading) % 360, "heading_tolerance": HEADING_TOLERANCE}
    costing = COSTINGS[vehicle]
    request = {
        "locations": locations,
        "costing": costing,
        "costing_options": {costing: _options(preference)},
        "directions_type": "none",
    }
    return as_text(request if preference == LAWFUL else request | {"date_time": ONE_DIRECTION_SEARCH})


def location(place: LonLat, nearby: Nearby) -> dict[str, float | str]:
    """Return the JSON object of a place where a route begins, stops or ends."""
    return {
        "radius": nearby.radius,
        "lat": place.lat,
        "lon": place.lon,
        "search_cutoff": SEARCH_CUTOFF,
        "minimum_reachability": nearby.reachability,
    }


def as_text(request: Mapping[str, object]) -> str:
    """Encode a request as JSON text."""
    return msgspec.json.encode(request).decode()


def _locations(
    places: Sequence[LonLat], nearby: Nearby, preference: RoutePreference
) -> list[dict[str, float | str]]:
    """Return the JSON objects of the places.

    If the preference names a side of the street, places don't snap to a crossing, which has no side. The
    route leaves each stop in the direction in which it arrived.
    """
    locations = [location(place, nearby) for place in places]
    side = _side(preference)
    if side:
        locations = [each | {"node_snap_tolerance": 0} for each in locations]
        locations[1:] = [each | side for each in locations[1:]]
        locations[1:-1] = [each | {"type": "break_through"} for each in locations[1:-1]]
    return locations


def _options(preference: RoutePreference) -> dict[str, bool]:
    if preference == "unrestricted":
        return {"ignore_restrictions": True}
    return {"shortest": True} if preference.startswith("short") else {}


def _side(preference: RoutePreference) -> dict[str, float | str]:
    """Return on which side of the street the route arrives at a stop."""
    if not preference.endswith("_side"):
        return {}
    side = "same" if preference.endswith("near_side") else "opposite"
    return {"preferred_side": side, "street_side_tolerance": SIDE_TOLERANCE, "radius": BESIDE}
