"""Rotation by 180 degrees of longitude, for maps that lie across the antimeridian.

The engine routes wrongly where longitudes jump, because its distance heuristic goes around the world. So the
builder gets such an extract rotated by 180 degrees, and every request and answer is rotated in transit.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracker.domain.geo import LonLat
from tracker.routing.polyline import decode, encode

if TYPE_CHECKING:
    from tracker.routing.backends import Backend

_LINES: Final = ("shape", "encoded_polyline")  # fields that hold an encoded line, in requests and answers


def rotated(lon: float) -> float:
    """Return the longitude 180 degrees further. Rotating twice gives the same place."""
    return lon - 180.0 if lon > 0.0 else lon + 180.0


class RotatedBackend:
    """A backend with rotated tiles that takes and returns true coordinates. Not thread-safe."""

    def __init__(self, engine: "Backend") -> None:
        self._engine = engine

    def route(self, request: str) -> str:
        return _rotated_text(self._engine.route(_rotated_text(request)))

    def trace_attributes(self, request: str) -> str:
        return _rotated_text(self._engine.trace_attributes(_rotated_text(request)))

    def matrix(self, request: str) -> str:
        return self._engine.matrix(_rotated_text(request))  # the answer has no coordinates

    def status(self) -> str:
        return self._engine.status()


def _rotated_text(text: str) -> str:
    return msgspec.json.encode(_rotated_value(msgspec.json.decode(text))).decode()


def _rotated_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_rotated_value(each) for each in value]
    if isinstance(value, dict):
        return {key: _rotated_field(key, each) for key, each in value.items()}
    return value


def _rotated_field(key: str, value: Any) -> Any:
    if key == "lon":
        return rotated(value)
    if key in _LINES and isinstance(value, str):
        return encode([LonLat(rotated(place.lon), place.lat) for place in decode(value)])
    return _rotated_value(value)
