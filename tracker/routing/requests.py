"""Wanted: what the engine is asked for, as it wants to be asked."""

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
SEARCH_CUTOFF: Final = 300  # metres; without it a place 27 km off the map gets a route
HEADING_TOLERANCE: Final = 60  # degrees between a driver's heading and the street that the route begins with
SIDE_TOLERANCE: Final = 1  # metres from the middle of a street; a stop further off is on one of its sides
BESIDE: Final = 8  # metres; the street of a stop with a side is so near: the nearest may be an alley's end
# Asked for a way at some time of day, the engine searches from its beginning only. That search turns round
# where a street ends, as drivers do; the one from both ends goes into no street that leads nowhere. The tiles
# know no time zones and no speeds by the hour, so nothing else depends on it.
AT_SOME_TIME: Final = {"type": 1, "value": "2024-01-01T03:00"}


class Nearby(NamedTuple):
    """On which streets around a place a way may begin or end; on the nearest where none is so near."""

    radius: int  # metres; every street so near counts as equally likely
    reachability: int  # nodes that a street must lead to, and be reached from


NEAREST: Final = Nearby(0, 100)
# A receiver errs by as much. To count 100 nodes around each street is 70 % of what such a way costs.
NEAR: Final = Nearby(15, 20)
# Streets that lead nowhere are no place to start from: an extract cuts one-way streets off, and 13 % of the
# random pairs in the demo area have no way with the default of 50 nodes, 1 to 4 % with 100.
NEAR_CONNECTED: Final = Nearby(15, 100)
# The nearest street may still be one that cannot be left: so for up to 10 % of the pairs on two wheels. With
# any street within the engine's limit, 0 to 2 % have no way.
ANYWHERE: Final = Nearby(200, 100)


def route_wanted(
    places: Sequence[LonLat],
    vehicle: Vehicle,
    *,
    nearby: Nearby,
    heading: float | None,
    manner: RoutePreference,
) -> str:
    """A way through the places."""
    locations = _locations(places, nearby, manner)
    if heading is not None:
        locations[0] |= {"heading": round(heading) % 360, "heading_tolerance": HEADING_TOLERANCE}
    costing = COSTINGS[vehicle]
    wanted = {
        "locations": locations,
        "costing": costing,
        "costing_options": {costing: _options(manner)},
        "directions_type": "none",
    }
    return as_text(wanted if manner == LAWFUL else wanted | {"date_time": AT_SOME_TIME})


def location(place: LonLat, nearby: Nearby) -> dict[str, float | str]:
    """A place where a way may begin or end."""
    return {
        "radius": nearby.radius,
        "lat": place.lat,
        "lon": place.lon,
        "search_cutoff": SEARCH_CUTOFF,
        "minimum_reachability": nearby.reachability,
    }


def as_text(wanted: Mapping[str, object]) -> str:
    """The form in which it goes to the engine."""
    return msgspec.json.encode(wanted).decode()


def _locations(
    places: Sequence[LonLat], nearby: Nearby, manner: RoutePreference
) -> list[dict[str, float | str]]:
    """Where a side is meant, no place counts as the crossing beside it, which has none; and from a stop the
    way goes on in the direction of the arrival.
    """
    locations = [location(place, nearby) for place in places]
    side = _side(manner)
    if side:
        locations = [each | {"node_snap_tolerance": 0} for each in locations]
        locations[1:] = [each | side for each in locations[1:]]
        locations[1:-1] = [each | {"type": "break_through"} for each in locations[1:-1]]
    return locations


def _options(manner: RoutePreference) -> dict[str, bool]:
    if manner == "unrestricted":
        return {"ignore_restrictions": True}
    return {"shortest": True} if manner.startswith("short") else {}


def _side(manner: RoutePreference) -> dict[str, float | str]:
    """On which side of the street a stop is arrived at."""
    if not manner.endswith("_side"):
        return {}
    side = "same" if manner.endswith("near_side") else "opposite"
    return {"preferred_side": side, "street_side_tolerance": SIDE_TOLERANCE, "radius": BESIDE}
