"""Preferred route: the route that local drivers would take, where it differs from the map's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from math import hypot, inf
from typing import Final, NamedTuple

from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.leg import Leg
from tracker.domain.route_choice.observed_streets import Beside, ObservedStreets, Street, beside, line_between

NEAR: Final = 25.0  # metres from a street within which a route may start or end
AHEAD: Final = 60.0  # largest degrees between a driver's heading and their street
ALIKE: Final = 12.0  # metres by which the driver's street may be further away than the nearest
DOUBT: Final = 2.0  # cost in metres for each of these
OTHER_SIDE: Final = 60.0  # metres added to a stop on the side that drivers avoid
LIKELY: Final = 2.0  # metres by which the stop's street may be further away than the nearest
UNLIKELY: Final = 20.0  # cost in metres for each of these
OPPOSITE: Final = 150.0  # least degrees between the two directions of one street
TOGETHER: Final = 0.6  # metres; the two directions of one street differ less in distance
UNSEEN: Final = 1.25  # cost factor of a street on the map's route without observed passages
FIRST: Final = 30.0  # cost in metres of a turn without observed passages
BACK: Final = 3.0  # metres by which a receiver may place a driver beyond their position
LONGER: Final = 1.5  # times the map's route at most: the usual street may not be known yet
SLACK: Final = 30.0  # metres, added to that limit
FASTEST: Final = 0.4  # lower bound of the time per metre, relative to the leg's mean
APART: Final = 1.0  # largest metres between the end of a street and the start of the next


class Spot(NamedTuple):
    """A place on a street."""

    key: str
    along_m: float


class PreferredRoute(NamedTuple):
    line: tuple[LonLat, ...]
    streets: tuple[str, ...]


class _End(NamedTuple):
    """The stop's place on a street, and the cost in metres because the street may be the wrong one."""

    along_m: float
    unlikely: float


# A step to the end of a street, or to the stop on it: estimated total cost, cost, key, previous key (""
# if there is none), and whether it reaches the stop. Costs are metres, more if it is less likely.
type _Step = tuple[float, float, str, str, bool]


class _StreetPath(NamedTuple):
    streets: tuple[str, ...]
    begin_m: float  # on the first street
    end_m: float  # on the last one


class Search:
    """A search over the observed streets and the streets of one leg of the map's route."""

    def __init__(self, streets: ObservedStreets, leg: Leg, *, by_time: bool) -> None:
        """Minimise length, or time if *by_time*."""
        self._streets = streets
        self._speed = leg.distance_m / leg.duration_s if by_time and leg.duration_s > 0.0 else None
        self._at_most = LONGER * leg.distance_m + SLACK
        of_leg, self._onward = _of_leg(leg)
        self._of_leg = {key: street for key, street in of_leg.items() if key not in streets.known}

    def find(
        self, begin: LonLat, end: LonLat, *, heading: float | None = None, entering: str = ""
    ) -> PreferredRoute | None:
        """Return the route between two places, or None if none is known.

        *entering* is the street on which the previous leg ended.
        """
        starts = self._start_on(begin, entering) or self._starts(begin, heading)
        found = self._shortest(starts, self._ends(end), end)
        return None if found is None else self._route_along(found)

    def _start_on(self, place: LonLat, key: str) -> dict[Spot, float]:
        """Locate the place on this street, of which the previous leg may have known another part."""
        street = self._street(key)
        on = None if street is None else beside(key, street.line, place)
        return {Spot(key, on.along_m): 0.0} if on is not None and on.offset_m <= NEAR else {}

    def _around(self, place: LonLat) -> list[Beside]:
        local = (beside(key, street.line, place) for key, street in self._of_leg.items())
        return [*self._streets.around(place, NEAR), *(one for one in local if one.offset_m <= NEAR)]

    def _starts(self, place: LonLat, heading: float | None) -> dict[Spot, float]:
        """Return the driver's possible places on streets, with the cost of each in metres."""
        found = [
            one for one in self._around(place) if heading is None or _between(heading, one.heading) < AHEAD
        ]
        nearest = min((one.offset_m for one in found), default=0.0)
        return {
            Spot(one.key, one.along_m): DOUBT * (one.offset_m - nearest)
            for one in found
            if one.offset_m < nearest + ALIKE
        }

    def _ends(self, place: LonLat) -> dict[str, _End]:
        """Return the stop's place by street, for streets about as near as the likeliest one."""
        found = self._around(place)
        off = {one.key: self._off(one, found) for one in found}
        nearest = min(off.values(), default=0.0)
        return {
            one.key: _End(one.along_m, UNLIKELY * (off[one.key] - nearest))
            for one in found
            if off[one.key] <= nearest + LIKELY
        }

    def _off(self, stop: Beside, others: Iterable[Beside]) -> float:
        """Return metres from the stop, plus a surcharge if the street's other direction is preferred."""
        if not self._streets.wrong_side(stop):
            return stop.offset_m
        both = any(
            abs(other.offset_m - stop.offset_m) < TOGETHER
            and _between(other.heading, stop.heading) > OPPOSITE
            for other in others
        )
        return stop.offset_m + OTHER_SIDE * both

    def _street(self, key: str) -> Street | None:
        return self._streets.known.get(key) or self._of_leg.get(key)

    def _cost(self, key: str, street: Street, metres: float) -> float:
        cost = metres if metres > 0.0 else 0.0
        if self._speed is not None and street.length_m > 0.0:
            cost *= street.seconds / street.length_m * self._speed
        return cost if key in self._streets.known else UNSEEN * cost

    def _shortest(
        self, starts: Mapping[Spot, float], ends: Mapping[str, _End], place: LonLat
    ) -> _StreetPath | None:
        """Find the cheapest path by A*. The lower bound is a straight line to the stop's street."""
        if not ends:
            return None
        to_metres, to_go = Plane(place).to_metres, 1.0 if self._speed is None else FASTEST

        def at_least(street: Street) -> float:
            return to_go * max(hypot(*to_metres(street.line[-1])) - NEAR, 0.0)

        at_most, queue = self._at_most, list(self._first_steps(starts, ends, at_least))
        heapify(queue)
        came_from: dict[str, str] = {}
        least: dict[str, float] = {}
        while queue and queue[0][0] <= at_most:
            _, cost, key, before, is_end = heappop(queue)
            if is_end:
                return _street_path(starts, ends, (*_path(came_from, before), key))
            if key in came_from:
                continue
            came_from[key] = before
            for onward, street, begun in self._next(key, cost):
                if onward in ends:
                    stop = begun + ends[onward].unlikely + self._cost(onward, street, ends[onward].along_m)
                    heappush(queue, (stop, stop, onward, key, True))
                further = begun + self._cost(onward, street, street.length_m)
                if onward not in came_from and further < least.get(onward, inf):
                    least[onward] = further
                    heappush(queue, (further + at_least(street), further, onward, key, False))
        return None

    def _first_steps(
        self, starts: Mapping[Spot, float], ends: Mapping[str, _End], at_least: Callable[[Street], float]
    ) -> Iterator[_Step]:
        for (key, along), further in starts.items():
            street = self._street(key)
            assert street is not None
            if key in ends and ends[key].along_m >= along - BACK:
                cost = further + ends[key].unlikely + self._cost(key, street, ends[key].along_m - along)
                yield cost, cost, key, "", True
            cost = further + self._cost(key, street, street.length_m - along)
            yield cost + at_least(street), cost, key, "", False

    def _next(self, key: str, cost: float) -> list[tuple[str, Street, float]]:
        """Return the next streets and the cost to their start.

        Of the leg's first and last street only a part may be known, which does not reach the crossing.
        """
        known, here = self._streets.known.get(key), self._street(key)
        assert here is not None
        seen = known.onward if known is not None else {}
        found = [
            (onward, street, cost)
            for onward in seen
            if (street := self._street(onward)) is not None and _joined(here, street)
        ]
        planned = self._onward.get(key, "")
        if planned not in seen and (street := self._street(planned)) is not None and _joined(here, street):
            found.append((planned, street, cost + FIRST))
        return found

    def _route_along(self, found: _StreetPath) -> PreferredRoute | None:
        line: list[LonLat] = []
        for number, key in enumerate(found.streets):
            street = self._street(key)
            assert street is not None
            begin = found.begin_m if number == 0 else 0.0
            end = found.end_m if number == len(found.streets) - 1 else inf
            part = line_between(street.line, begin, end)
            line += part[1:] if line and part and line[-1] == part[0] else part
        if len(line) < 2:
            return None
        return PreferredRoute(tuple(line), found.streets)


def _of_leg(leg: Leg) -> tuple[dict[str, Street], dict[str, str]]:
    """Return the leg's streets, the longest part of each, and the turns between them."""
    streets: dict[str, Street] = {}
    onward: dict[str, str] = {}
    before = ""
    for edge in leg.edges:
        line = leg.line[edge.begin : edge.end + 1]
        if edge.key and len(line) > 1:
            other = streets.get(edge.key)
            if other is None or other.length_m < edge.length_m:
                streets[edge.key] = Street(line, edge.length_m, edge.duration_s, 0, 0)
            if before and before != edge.key:
                onward[before] = edge.key
        before = edge.key
    return streets, onward


def _joined(before: Street, after: Street) -> bool:
    return before.line[-1] == after.line[0] or distance(before.line[-1], after.line[0]) <= APART


def _path(came_from: Mapping[str, str], key: str) -> tuple[str, ...]:
    path = []
    while key:
        path.append(key)
        key = came_from[key]
    return tuple(reversed(path))


def _street_path(starts: Iterable[Spot], ends: Mapping[str, _End], path: tuple[str, ...]) -> _StreetPath:
    begin = next(spot.along_m for spot in starts if spot.key == path[0])
    end = ends[path[-1]].along_m
    return _StreetPath(path, begin, max(end, begin) if len(path) == 1 else end)


def _between(a: float, b: float) -> float:
    """Return the degrees between two headings."""
    return abs((a - b + 180.0) % 360.0 - 180.0)
