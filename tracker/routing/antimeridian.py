"""Rotation by 180 degrees of longitude, for maps that lie across the antimeridian.

The engine routes wrongly where longitudes jump, because its distance heuristic goes around the world. So the
builder gets such an extract rotated by 180 degrees, and every request and answer is rotated in transit.
"""

from typing import Any, Final

import msgspec

from tracker.domain.geo import LonLat
from tracker.routing.polyline import decode, encode

_LINES: Final = ("shape", "encoded_polyline")  # fields that hold an encoded line, in requests and answers


def rotated(lon: float) -> float:
    """Return the longitude 180 degrees further. Rotating twice gives the same place."""
    return lon - 180.0 if lon > 0.0 else lon + 180.0


def rotated_text(text: str) -> str:
    """Return a request or answer of the engine with every place rotated."""
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
