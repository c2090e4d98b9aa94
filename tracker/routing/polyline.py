"""Encoded polylines with precision 6: differences of millionths of a degree, in groups of five bits."""

from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from tracker.domain.geo import LonLat

_SCALE: Final = 1e6  # in a degree
_OFFSET: Final = 63  # makes every group a printable character
_MORE: Final = 0x20  # set if another group of the same number follows


def decode(encoded: str) -> tuple[LonLat, ...]:
    """Return the places of an encoded line. Raises ValueError if the text is truncated."""
    steps = _numbers(encoded.encode("ascii"))
    if len(steps) % 2:
        raise ValueError("The encoded line ends within a place.")
    lats, lons = accumulate(steps[::2]), accumulate(steps[1::2])
    return tuple([LonLat(lon / _SCALE, lat / _SCALE) for lat, lon in zip(lats, lons, strict=True)])


def encode(places: Iterable[LonLat]) -> str:
    """Encode the places, in the format that `decode` reads."""
    text = bytearray()
    lat = lon = 0
    for place in places:
        for here, last in ((round(place.lat * _SCALE), lat), (round(place.lon * _SCALE), lon)):
            text += _characters(here - last)
        lat, lon = round(place.lat * _SCALE), round(place.lon * _SCALE)
    return text.decode("ascii")


def _characters(number: int) -> bytes:
    bits = ~(number << 1) if number < 0 else number << 1
    groups = []
    while bits >= _MORE:
        groups.append((bits & (_MORE - 1) | _MORE) + _OFFSET)
        bits >>= 5
    return bytes([*groups, bits + _OFFSET])


def _numbers(encoded: bytes) -> list[int]:
    """Return the signed numbers in order. Raises ValueError."""
    numbers = []
    bits = shift = 0
    for character in encoded:
        group = character - _OFFSET
        if group & _MORE:
            bits |= (group ^ _MORE) << shift
            shift += 5
        else:
            bits |= group << shift
            numbers.append(~(bits >> 1) if bits & 1 else bits >> 1)
            bits = shift = 0
    if shift:
        raise ValueError("The encoded line ends within a number.")
    return numbers
