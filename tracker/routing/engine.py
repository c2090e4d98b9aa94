"""Engine: requests to one Valhalla and its answers as domain values. Blocking, and for one thread only."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, pairwise
from math import inf
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, distance
from tracker.domain.leg import Leg
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.errors import NoRoute, RouterUnavailable
from tracker.routing.backends import Backend
from tracker.routing.map_matching import add_streets, match_streets
from tracker.routing.polyline import decode
from tracker.routing.preferred_legs import prefer_observed_streets
from tracker.routing.requests import (
    ANYWHERE,
    COSTINGS,
    NEAR,
    NEAR_CONNECTED,
    NEAREST,
    Nearby,
    as_text,
    location,
    route_request,
)
from tracker.routing.unroutable import legs_of_parts, matrix_of_parts

NO_PATH: Final = 442  # the engine's error code for streets that are not connected
NOT_VALHALLA: Final = "The server at TRACKER_ROUTER is not Valhalla; check the URL."
PLACES_AT_ONCE: Final = 20  # the engine's limit for cars; longer routes take several requests


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


# Built at import: if two threads decode a type for the first time at once, msgspec 0.22 crashes.
_read_matrix: Final = msgspec.json.Decoder(_MatrixAnswer).decode
_read_route: Final = msgspec.json.Decoder(_RouteAnswer).decode


class _NotConnected(NoRoute):
    """Both places are near streets, but no route connects them."""


class Engine:
    """Routes, matrices and matched streets as domain values; it translates every error of the engine."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool,
        heading: float | None = None,
        preference: RoutePreference = LAWFUL,
        streets: ObservedStreets = NO_STREETS,
        bridge_m_s: float | None = None,
    ) -> tuple[Leg, ...]:
        """Return one leg between each two consecutive places; see `Router.route`.

        Raises NoRoute, RouterUnavailable.
        """

        def request_legs(some: Sequence[LonLat], first: int) -> Sequence[_RawLeg | None]:
            return self._legs(some, vehicle, None if first else heading, preference)

        raw: list[_RawLeg | None] = []
        for first in range(0, len(places) - 1, PLACES_AT_ONCE - 1):
            some = places[first : first + PLACES_AT_ONCE]
            raw += (
                request_legs(some, first) if bridge_m_s is None else legs_of_parts(request_legs, some, first)
            )
        if all(each is None for each in raw):
            raise NoRoute("No street connects any two of the places.")
        legs = [
            _straight_leg(a, b, bridge_m_s or 1.0) if each is None else self._leg(each, vehicle, edges)
            for each, (a, b) in zip(raw, pairwise(places), strict=True)
        ]
        if not edges or not streets.known:
            return tuple(legs)
        return prefer_observed_streets(
            self._backend, places, legs, vehicle, streets=streets, heading=heading, preference=preference
        )

    def match_streets(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
        """Return the streets of a driven path, or none if it matches none. Raises RouterUnavailable."""
        return match_streets(self._backend, places, vehicle)

    def matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """Return the seconds from each place (row) to each (column), infinite without a route.

        Raises RouterUnavailable.
        """
        try:
            return self._matrix(places, vehicle)
        except NoRoute:
            return matrix_of_parts(lambda some: self._matrix(some, vehicle), places)

    def _matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """Return the matrix. Raises NoRoute if a place has no street or lies in another street network."""
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
            raise _NotConnected("A place cannot be reached or left by its nearest street.")
        return tuple(rows)

    def _block(
        self, nearby: Nearby, sources: Sequence[LonLat], targets: Sequence[LonLat], vehicle: Vehicle
    ) -> list[list[float]]:
        request = {
            "sources": [location(place, nearby) for place in sources],
            "targets": [location(place, nearby) for place in targets],
            "costing": COSTINGS[vehicle],
            "verbose": False,
        }
        try:
            answer = self._backend.matrix(as_text(request))
            durations = _read_matrix(answer).sources_to_targets.durations
        except RuntimeError as error:
            raise _translate(error) from error
        except msgspec.DecodeError as error:
            raise RouterUnavailable(NOT_VALHALLA) from error
        return [[inf if seconds is None else seconds for seconds in row] for row in durations]

    def _legs(
        self, places: Sequence[LonLat], vehicle: Vehicle, heading: float | None, preference: RoutePreference
    ) -> list[_RawLeg]:
        """Return the legs, starting from streets in three steps until a route is found.

        First it takes streets that are likely to be connected, then those that surely are, at last any street
        around and no heading. If no connected street has the heading, the engine itself takes another.
        Raises NoRoute, RouterUnavailable.
        """
        for nearby in (NEAR, NEAR_CONNECTED):
            with suppress(_NotConnected):
                return self._legs_within(nearby, places, vehicle, heading, preference)
        return self._legs_within(ANYWHERE, places, vehicle, None, LAWFUL)

    def _legs_within(
        self,
        nearby: Nearby,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        heading: float | None,
        preference: RoutePreference,
    ) -> list[_RawLeg]:
        request = route_request(places, vehicle, nearby=nearby, heading=heading, preference=preference)
        try:
            answer = self._backend.route(request)
            return _read_route(answer).trip.legs
        except RuntimeError as error:
            raise _translate(error) from error
        except msgspec.DecodeError as error:
            raise RouterUnavailable(NOT_VALHALLA) from error

    def _leg(self, raw: _RawLeg, vehicle: Vehicle, edges: bool) -> Leg:
        leg = Leg(decode(raw.shape), raw.summary.length * 1000.0, raw.summary.time)
        return add_streets(self._backend, raw.shape, leg, vehicle) if edges else leg


def _straight_leg(a: LonLat, b: LonLat, m_s: float) -> Leg:
    metres = distance(a, b)
    return Leg((a, b), metres, metres / m_s, straight=True)


def _translate(error: RuntimeError) -> NoRoute | RouterUnavailable:
    """Return NoRoute for codes 1xx and 4xx, such as 154 (too far) and 171 (no street near)."""
    if getattr(error, "http_code", 500) >= 500:  # EngineError and ValhallaError have it
        return RouterUnavailable(str(error))
    code, message = getattr(error, "code", 0), getattr(error, "message", str(error))
    kind = _NotConnected if code == NO_PATH else NoRoute
    return kind(f"{message} ({code})")
