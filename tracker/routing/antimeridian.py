"""Antimeridian: maps at 180 degrees are routed half around the world, where longitudes don't jump.

Where they do, the engine's ways are wrong: its estimate of what lies ahead goes around the world. So the
builder gets such an extract turned by 180 degrees, and requests and answers are turned on their way.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracker.domain.geo import LonLat
from tracker.routing.polyline import decode, encode

if TYPE_CHECKING:
    from tracker.routing.backends import Backend

_LINES: Final = ("shape", "encoded_polyline")  # encoded, in requests and answers


def turned(lon: float) -> float:
    """The longitude half around the world; turning twice gives the same place."""
    return lon - 180.0 if lon > 0.0 else lon + 180.0


class Turned:
    """An engine whose tiles are turned, asked as if they were not. For one thread, like the engine."""

    def __init__(self, engine: "Backend") -> None:
        self._engine = engine

    def route(self, wanted: str) -> str:
        return _turned_text(self._engine.route(_turned_text(wanted)))

    def trace_attributes(self, wanted: str) -> str:
        return _turned_text(self._engine.trace_attributes(_turned_text(wanted)))

    def matrix(self, wanted: str) -> str:
        return self._engine.matrix(_turned_text(wanted))  # the answer has no places

    def status(self) -> str:
        return self._engine.status()


def _turned_text(text: str) -> str:
    return msgspec.json.encode(_turned_value(msgspec.json.decode(text))).decode()


def _turned_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_turned_value(each) for each in value]
    if isinstance(value, dict):
        return {key: _turned_field(key, each) for key, each in value.items()}
    return value


def _turned_field(key: str, value: Any) -> Any:
    if key == "lon":
        return turned(value)
    if key in _LINES and isinstance(value, str):
        return encode(_turned_places(decode(value)))
    return _turned_value(value)


def _turned_places(places: Iterable[LonLat]) -> list[LonLat]:
    return [LonLat(turned(place.lon), place.lat) for place in places]
