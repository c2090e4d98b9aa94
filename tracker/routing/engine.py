"""Engine: one Valhalla, wherever it is, and what it answers. Blocking; never used by two threads."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, pairwise
from math import inf
from typing import Final

import msgspec
from valhalla import ValhallaError

from tracker.domain.geo import LonLat, distance
from tracker.domain.leg import Leg
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.observed_streets import NONE, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.errors import NoRoute, RouterUnavailable
from tracker.routing.backends import Backend
from tracker.routing.map_matching import matched, with_streets
from tracker.routing.polyline import decode
from tracker.routing.preferred_legs import as_driven
from tracker.routing.requests import (
    ANYWHERE,
    COSTINGS,
    NEAR,
    NEAR_CONNECTED,
    NEAREST,
    Nearby,
    as_text,
    location,
    route_wanted,
)
from tracker.routing.unroutable import matrix_of_parts, ways_of_parts

NO_PATH: Final = 442  # the engine's code for streets that are there but not connected
PLACES_AT_ONCE: Final = 20  # the engine's limit for cars; longer routes are asked for in pieces


class _Summary(msgspec.Struct):
    time: float  # seconds
    length: float  # kilometres


class _RawLeg(msgspec.Struct):
    summary: _Summary
    shape: str


class _RawTrip(msgspec.Struct):
    legs: list[_RawLeg]


class _RouteAnswer(msgspec.Struct):
    trip: _RawTrip


class _Durations(msgspec.Struct):
    durations: list[list[float | None]]  # seconds; a row for each source


class _MatrixAnswer(msgspec.Struct):
    sources_to_targets: _Durations


# Made at import: two threads that are the first to decode into a type crash the process (msgspec 0.22).
_read_matrix: Final = msgspec.json.Decoder(_MatrixAnswer).decode
_read_route: Final = msgspec.json.Decoder(_RouteAnswer).decode


class _NotConnected(NoRoute):
    """Both places are near streets, but no way leads from one to the other."""


class Engine:
    """Answers with our own values and errors; what the engine itself raises does not leave this class."""

    def __init__(self, actor: Backend) -> None:
        self._actor = actor

    def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool,
        heading: float | None = None,
        manner: RoutePreference = LAWFUL,
        streets: ObservedStreets = NONE,
        bridge_m_s: float | None = None,
    ) -> tuple[Leg, ...]:
        """One leg between each two places. Raises NoRoute, RouterUnavailable.

        With *bridge_m_s* a leg that no way leads along is a straight line at this speed, unless all are.
        """

        def ways(some: Sequence[LonLat], first: int) -> Sequence[_RawLeg | None]:
            return self._legs(some, vehicle, None if first else heading, manner)

        raw: list[_RawLeg | None] = []
        for first in range(0, len(places) - 1, PLACES_AT_ONCE - 1):
            some = places[first : first + PLACES_AT_ONCE]
            raw += ways(some, first) if bridge_m_s is None else ways_of_parts(ways, some, first)
        if all(each is None for each in raw):
            raise NoRoute("No way leads to any of the places.")
        legs = [
            _straight(a, b, bridge_m_s or 1.0) if each is None else self._leg(each, vehicle, edges)
            for each, (a, b) in zip(raw, pairwise(places), strict=True)
        ]
        if not edges or not streets.known:
            return tuple(legs)
        return as_driven(self._actor, places, legs, vehicle, streets=streets, heading=heading, manner=manner)

    def matched(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
        """The streets of a way that was driven; none where it cannot be told. Raises RouterUnavailable."""
        return matched(self._actor, places, vehicle)

    def matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """Seconds from each place to each; infinite where no way leads. Raises RouterUnavailable."""
        try:
            return self._matrix(places, vehicle)
        except NoRoute:
            return matrix_of_parts(lambda some: self._matrix(some, vehicle), places)

    def _matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """The same; raises NoRoute where one of the places has no street, or lies in another network."""
        try:
            return self._matrix_within(NEAREST, places, vehicle)
        except _NotConnected:
            return self._matrix_within(ANYWHERE, places, vehicle)

    def _matrix_within(
        self, nearby: Nearby, places: Sequence[LonLat], vehicle: Vehicle
    ) -> tuple[tuple[float, ...], ...]:
        parts = [places[n : n + PLACES_AT_ONCE] for n in range(0, len(places), PLACES_AT_ONCE)]
        rows: list[tuple[float, ...]] = []
        for sources in parts:
            blocks = [self._block(nearby, sources, targets, vehicle) for targets in parts]
            rows += [tuple(chain.from_iterable(row)) for row in zip(*blocks, strict=True)]
        if nearby == NEAREST and any(inf in row for row in rows):
            raise _NotConnected("A place cannot be reached, or left, by the street next to it.")
        return tuple(rows)

    def _block(
        self, nearby: Nearby, sources: Sequence[LonLat], targets: Sequence[LonLat], vehicle: Vehicle
    ) -> list[list[float]]:
        wanted = {
            "sources": [location(place, nearby) for place in sources],
            "targets": [location(place, nearby) for place in targets],
            "costing": COSTINGS[vehicle],
            "verbose": False,
        }
        try:
            answer = self._actor.matrix(as_text(wanted))
            durations = _read_matrix(answer).sources_to_targets.durations
        except RuntimeError as error:
            raise _translated(error) from error
        except msgspec.DecodeError as error:
            raise RouterUnavailable("Whatever answers is no Valhalla.") from error
        return [[inf if seconds is None else seconds for seconds in row] for row in durations]

    def _legs(
        self, places: Sequence[LonLat], vehicle: Vehicle, heading: float | None, manner: RoutePreference
    ) -> list[_RawLeg]:
        """From streets that are likely to lead on, then from those that surely do; then without the heading
        from any street around. Where no street goes the way of the heading, or none of those leads on, the
        engine itself takes the others.
        """
        for nearby in (NEAR, NEAR_CONNECTED):
            with suppress(_NotConnected):
                return self._legs_within(nearby, places, vehicle, heading, manner)
        return self._legs_within(ANYWHERE, places, vehicle, None, LAWFUL)

    def _legs_within(
        self,
        nearby: Nearby,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        heading: float | None,
        manner: RoutePreference,
    ) -> list[_RawLeg]:
        wanted = route_wanted(places, vehicle, nearby=nearby, heading=heading, manner=manner)
        try:
            answer = self._actor.route(wanted)
            return _read_route(answer).trip.legs
        except RuntimeError as error:
            raise _translated(error) from error
        except msgspec.DecodeError as error:
            raise RouterUnavailable("Whatever answers is no Valhalla.") from error

    def _leg(self, raw: _RawLeg, vehicle: Vehicle, edges: bool) -> Leg:
        leg = Leg(decode(raw.shape), raw.summary.length * 1000.0, raw.summary.time)
        return with_streets(self._actor, raw.shape, leg, vehicle) if edges else leg


def _straight(a: LonLat, b: LonLat, m_s: float) -> Leg:
    metres = distance(a, b)
    return Leg((a, b), metres, metres / m_s, straight=True)


def _translated(error: RuntimeError) -> NoRoute | RouterUnavailable:
    """Codes 1xx and 4xx say that there is no way (154 too far, 171 no street near)."""
    if not isinstance(error, ValhallaError) or error.http_code >= 500:
        return RouterUnavailable(str(error))
    kind = _NotConnected if error.code == NO_PATH else NoRoute
    return kind(f"{error.message} ({error.code})")
