"""Usual way: the one that drivers who know the streets would take, beside the one that the map knows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from math import hypot, inf
from typing import Final, NamedTuple

from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.leg import Leg
from tracker.domain.route_choice.observed_streets import Beside, ObservedStreets, Street, beside, piece_of

NEAR: Final = 25.0  # metres from a street where a way may begin or end
AHEAD: Final = 60.0  # degrees between a driver's heading and the street that they are on
ALIKE: Final = 12.0  # metres by which the street that a driver is on may be further than the nearest
DOUBT: Final = 2.0  # metres of way for each of these
OTHER_SIDE: Final = 60.0  # metres further off a stop counts as that is on the side that drivers avoid
LIKELY: Final = 2.0  # metres by which the street of a stop may be further than the nearest
UNLIKELY: Final = 20.0  # metres of way for each of these
OPPOSITE: Final = 150.0  # degrees between the two directions of one street
TOGETHER: Final = 0.6  # metres; two directions of one street are as far from a place
UNSEEN: Final = 1.25  # a street of the map's way counts longer where nobody was seen to go
FIRST: Final = 30.0  # metres, and a turn that nobody was seen to take
BACK: Final = 3.0  # metres by which a receiver may see somebody past a place
LONGER: Final = 1.5  # times the map's way; what was learned may still lack the street that everybody takes
SLACK: Final = 30.0  # metres
FASTEST: Final = 0.4  # of the usual time for as many metres, on the fastest streets
APART: Final = 1.0  # metres at the most from the end of a street to the beginning of the one that follows it


class Spot(NamedTuple):
    """A place on a street."""

    key: str
    along_m: float


class PreferredRoute(NamedTuple):
    line: tuple[LonLat, ...]
    streets: tuple[str, ...]


class _End(NamedTuple):
    """Where on a street the stop is, and metres of way that this counts as, because it may be another."""

    along_m: float
    unlikely: float


# To the end of a street, or to the stop on it: estimate of the whole way, cost, key, the one before ("" where
# there is none), and whether it is the stop. Costs are metres, and more where it is less likely.
type _Step = tuple[float, float, str, str, bool]


class _Found(NamedTuple):
    streets: tuple[str, ...]
    begin_m: float  # on the first street
    end_m: float  # on the last one


class Search:
    """The streets that drivers take, and those of one leg as the map knows it. Made for one leg."""

    def __init__(self, streets: ObservedStreets, leg: Leg, *, by_time: bool) -> None:
        """Chosen for length or `by_time`, each as such drivers do."""
        self._streets = streets
        self._speed = leg.distance_m / leg.duration_s if by_time and leg.duration_s > 0.0 else None
        self._at_most = LONGER * leg.distance_m + SLACK
        of_leg, self._onward = _of_leg(leg)
        self._of_leg = {key: street for key, street in of_leg.items() if key not in streets.known}

    def way(
        self, begin: LonLat, end: LonLat, *, heading: float | None = None, entering: str = ""
    ) -> PreferredRoute | None:
        """From one place to the other, from the street `entering` on which the leg before ended. None where
        no way is known.
        """
        starts = self._entered(begin, entering) or self._starts(begin, heading)
        found = self._shortest(starts, self._ends(end), end)
        return None if found is None else self._told(found)

    def _entered(self, place: LonLat, key: str) -> dict[Spot, float]:
        """Where on this street the place is; the leg before may have known another part of it."""
        street = self._street(key)
        on = None if street is None else beside(key, street.line, place)
        return {Spot(key, on.along_m): 0.0} if on is not None and on.offset_m <= NEAR else {}

    def _around(self, place: LonLat) -> list[Beside]:
        local = (beside(key, street.line, place) for key, street in self._of_leg.items())
        return [*self._streets.around(place, NEAR), *(one for one in local if one.offset_m <= NEAR)]

    def _starts(self, place: LonLat, heading: float | None) -> dict[Spot, float]:
        """Where on which streets the driver may be, and how much each counts as further."""
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
        """By street; those which are hardly further from the stop than the likeliest one."""
        found = self._around(place)
        off = {one.key: self._off(one, found) for one in found}
        nearest = min(off.values(), default=0.0)
        return {
            one.key: _End(one.along_m, UNLIKELY * (off[one.key] - nearest))
            for one in found
            if off[one.key] <= nearest + LIKELY
        }

    def _off(self, stop: Beside, others: Iterable[Beside]) -> float:
        """Metres from the stop; a street whose other direction has it on the right side counts as far."""
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
    ) -> _Found | None:
        """By A*: what is still to go is at the least a straight line to the stop's street."""
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
                return _found(starts, ends, (*_path(came_from, before), key))
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
        """The streets to go on into, and what it costs to their beginning. Of the leg's first and last one
        only a part may be known, which does not begin, or end, at the crossing."""
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

    def _told(self, found: _Found) -> PreferredRoute | None:
        line: list[LonLat] = []
        for number, key in enumerate(found.streets):
            street = self._street(key)
            assert street is not None
            begin = found.begin_m if number == 0 else 0.0
            end = found.end_m if number == len(found.streets) - 1 else inf
            piece = piece_of(street.line, begin, end)
            line += piece[1:] if line and piece and line[-1] == piece[0] else piece
        if len(line) < 2:
            return None
        return PreferredRoute(tuple(line), found.streets)


def _of_leg(leg: Leg) -> tuple[dict[str, Street], dict[str, str]]:
    """The leg's own streets, as far as it follows them, the longest time each; and the turns between them."""
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


def _found(starts: Iterable[Spot], ends: Mapping[str, _End], path: tuple[str, ...]) -> _Found:
    begin = next(spot.along_m for spot in starts if spot.key == path[0])
    end = ends[path[-1]].along_m
    return _Found(path, begin, max(end, begin) if len(path) == 1 else end)


def _between(a: float, b: float) -> float:
    """Degrees between two headings."""
    return abs((a - b + 180.0) % 360.0 - 180.0)
