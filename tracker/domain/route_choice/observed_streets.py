"""Observed streets: the streets and turns that drivers take, learned from driven paths.

Drivers know gates, bus lanes and turn restrictions that the map lacks. For privacy, only the map's own lines
and the last day of a passage are kept: no driver, order or time of day.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property
from itertools import pairwise, product
from math import atan2, cos, degrees, floor, hypot, inf, radians
from typing import Final, NamedTuple

import msgspec

from tracker.domain.geo import METRES_PER_DEGREE, LonLat, Plane, interpolate, steps

KEPT: Final = 5_000  # streets between crossings, about 8 km² of an inner city; the others are dropped
FORGOTTEN_AFTER: Final = 60  # days without a passage
SIDE: Final = 1.0, 8.0  # metres from the last street's centre line within which a stop is on one side
SURE: Final = 20.0  # arrivals before a preferred side is believed
SIDE_RATIO: Final = 2.0  # times as many arrivals as on the other side
CELLS: Final = 2_000.0, 1_000.0  # index cells per degree of latitude (56 m each) and of longitude
CELLS_AROUND: Final = 360_000  # cells around the earth

type Cell = tuple[int, int]


class StreetPassage(msgspec.Struct, frozen=True, gc=False):
    """A street of a driven path, as the routing engine matched it."""

    key: str  # Edge.key
    line: tuple[LonLat, ...]  # of the whole street; a part would reveal where a driver was
    seconds: float  # the engine's
    whole: bool  # whether the whole street was driven
    joined: bool  # whether the path led here from the previous street


class Street(msgspec.Struct):
    """A street in one direction, between two crossings."""

    line: tuple[LonLat, ...]
    length_m: float
    seconds: float  # mean of the engine's
    passed: int
    day: int  # of the last passage, as date.toordinal
    onward: dict[str, int] = {}  # the next streets, and the day of the last turn into each


class Beside(NamedTuple):
    """A place relative to a street."""

    key: str
    offset_m: float
    along_m: float  # from the street's start
    heading: float  # degrees, of the street there
    left_m: float  # left of the centre line; negative to the right


class ObservedStreets(msgspec.Struct, dict=True):
    """The streets of driven paths. Only `learn` changes them."""

    known: dict[str, Street] = {}
    right: float = 0.0  # arrivals at stops on the right side of the last street
    left: float = 0.0
    day: int = 0  # of the last removal of unused streets

    def learn(self, passages: Sequence[StreetPassage], stop: LonLat, day: date) -> None:
        """Add one path to a stop. Gaps join nothing.

        A partly driven street does not become known, but the turns from it or into it do.
        """
        today = day.toordinal()
        for each in passages:
            if each.whole:
                self._pass(each, today)
        for one, after in pairwise(passages):
            if after.joined and one.key != after.key and (street := self.known.get(one.key)) is not None:
                street.onward[after.key] = max(today, street.onward.get(after.key, 0))
        if passages and (last := self.known.get(passages[-1].key)) is not None:
            self._arrive(beside(passages[-1].key, last.line, stop))
        if today > self.day or len(self.known) > KEPT * 1.1:
            self.day = max(today, self.day)
            self._forget(today)

    def around(self, place: LonLat, within_m: float) -> Iterator[Beside]:
        """Yield the known streets within *within_m* metres of the place."""
        near = {key for cell in _cells_around(place, within_m) for key in self._cells.get(cell, ())}
        for key in near:
            found = beside(key, self.known[key].line, place)
            if found.offset_m <= within_m:
                yield found

    def wrong_side(self, stop: Beside) -> bool:
        """Return whether the stop is on the side of this street that drivers avoid."""
        if abs(stop.left_m) < SIDE[0] or self.left + self.right < SURE:
            return False
        seldom, often = (self.left, self.right) if stop.left_m > 0.0 else (self.right, self.left)
        return often > SIDE_RATIO * seldom

    @cached_property
    def _cells(self) -> dict[Cell, set[str]]:
        """The streets that touch each cell; built on first use, then updated."""
        cells: dict[Cell, set[str]] = {}
        for key, street in self.known.items():
            _add_to_cells(cells, key, street.line)
        return cells

    def _pass(self, passage: StreetPassage, today: int) -> None:
        street = self.known.get(passage.key)
        if street is None:
            length = sum(steps(passage.line))
            self.known[passage.key] = Street(passage.line, length, passage.seconds, 1, today)
            if "_cells" in self.__dict__:
                _add_to_cells(self._cells, passage.key, passage.line)
            return
        street.passed += 1
        street.seconds += (passage.seconds - street.seconds) / street.passed
        street.day = max(today, street.day)

    def _arrive(self, stop: Beside) -> None:
        if SIDE[0] <= abs(stop.left_m) and stop.offset_m <= SIDE[1]:
            if stop.left_m > 0.0:
                self.left += 1.0
            else:
                self.right += 1.0

    def _forget(self, today: int) -> None:
        """Drop expired streets, then the least recently driven ones."""
        newest = sorted(self.known.items(), key=lambda each: each[1].day)[-KEPT:]
        oldest = today - FORGOTTEN_AFTER
        self.known = {key: street for key, street in newest if street.day >= oldest}
        for street in self.known.values():
            street.onward = {key: on for key, on in street.onward.items() if on >= oldest}
        self.__dict__.pop("_cells", None)


NO_STREETS: Final = ObservedStreets()  # without any driven path


def beside(key: str, line: Sequence[LonLat], place: LonLat) -> Beside:
    """Return the place relative to the line, which has at least two places."""
    to_metres = Plane(place).to_metres
    nearest, best, along = inf, (0.0, 0.0, 0.0, 0.0), 0.0
    ax, ay = to_metres(line[0])
    for each in line[1:]:
        bx, by = to_metres(each)
        dx, dy = bx - ax, by - ay
        length = hypot(dx, dy)
        if (squared := length * length) > 0.0:
            share = -(ax * dx + ay * dy) / squared
            share = 0.0 if share < 0.0 else min(share, 1.0)
            offset = hypot(ax + share * dx, ay + share * dy)
            if offset < nearest:
                left = (ax * dy - ay * dx) / length  # of the line, extended beyond its end
                nearest, best = offset, (along + share * length, dx, dy, left)
            along += length
        ax, ay = bx, by
    at, dx, dy, left = best
    return Beside(key, nearest, at, degrees(atan2(dx, dy)) % 360.0, left)


def line_between(line: tuple[LonLat, ...], begin_m: float, end_m: float) -> Sequence[LonLat]:
    """Return the part of the line between two distances from its start; empty if there is none."""
    if begin_m <= 0.0 and end_m == inf:
        return line
    part: list[LonLat] = []
    passed = 0.0
    for (a, b), length in zip(pairwise(line), steps(line), strict=True):
        if length > 0.0 and begin_m <= end_m and passed < end_m and passed + length > begin_m:
            if not part:
                part.append(a if begin_m <= passed else interpolate(a, b, (begin_m - passed) / length))
            part.append(b if passed + length <= end_m else interpolate(a, b, (end_m - passed) / length))
        passed += length
    return part


def _cell(place: LonLat) -> Cell:
    return int(place.lat * CELLS[0] // 1), int(place.lon * CELLS[1] // 1) % CELLS_AROUND


def _cells_around(place: LonLat, within_m: float) -> Iterator[Cell]:
    """Yield the cells that a box around the place touches."""
    lat = within_m / METRES_PER_DEGREE * 1.001  # slightly more, for rounding errors
    lon = lat / max(cos(radians(place.lat)), 0.001)
    north = range(floor((place.lat - lat) * CELLS[0]), floor((place.lat + lat) * CELLS[0]) + 1)
    east = range(floor((place.lon - lon) * CELLS[1]), floor((place.lon + lon) * CELLS[1]) + 1)
    return ((one, other % CELLS_AROUND) for one, other in product(north, east))


def _add_to_cells(cells: dict[Cell, set[str]], key: str, line: Sequence[LonLat]) -> None:
    """Add the line to every cell that the bounding boxes of its segments touch.

    Segments longer than a cell are divided.
    """
    before, there = line[0], _cell(line[0])
    for place in line[1:]:
        cell = _cell(place)
        if cell == there:
            touched: Iterable[Cell] = (cell,)
        elif abs(cell[0] - there[0]) <= 1 and abs(cell[1] - there[1]) <= 1:
            touched = product({cell[0], there[0]}, {cell[1], there[1]})
        else:
            touched = _cells_along(before, place)
        for each in touched:
            if each in cells:
                cells[each].add(key)
            else:
                cells[each] = {key}
        before, there = place, cell


def _cells_along(a: LonLat, b: LonLat) -> Iterator[Cell]:
    east = (b.lon - a.lon + 180.0) % 360.0 - 180.0
    pieces = int(max(abs(b.lat - a.lat) * CELLS[0], abs(east) * CELLS[1])) + 1
    corners = [_cell(interpolate(a, b, number / pieces)) for number in range(pieces + 1)]
    for one, other in pairwise(corners):
        yield from product({one[0], other[0]}, {one[1], other[1]})
