"""The engine's encoded lines: differences of whole millionths of a degree, in pieces of five bits."""

from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from tracker.domain.geo import LonLat

_SCALE: Final = 1e6  # in a degree
_OFFSET: Final = 63  # makes every piece a printable character
_MORE: Final = 0x20  # set while further pieces of the same number follow


def decode(encoded: str) -> tuple[LonLat, ...]:
    """The places of a line; ValueError where the text ends within one."""
    steps = _numbers(encoded.encode("ascii"))
    if len(steps) % 2:
        raise ValueError("The encoded line ends within a place.")
    lats, lons = accumulate(steps[::2]), accumulate(steps[1::2])
    return tuple([LonLat(lon / _SCALE, lat / _SCALE) for lat, lon in zip(lats, lons, strict=True)])


def encode(places: Iterable[LonLat]) -> str:
    """The same the other way round."""
    text = bytearray()
    lat = lon = 0
    for place in places:
        for here, last in ((round(place.lat * _SCALE), lat), (round(place.lon * _SCALE), lon)):
            text += _characters(here - last)
        lat, lon = round(place.lat * _SCALE), round(place.lon * _SCALE)
    return text.decode("ascii")


def _characters(number: int) -> bytes:
    bits = ~(number << 1) if number < 0 else number << 1
    pieces = []
    while bits >= _MORE:
        pieces.append((bits & (_MORE - 1) | _MORE) + _OFFSET)
        bits >>= 5
    return bytes([*pieces, bits + _OFFSET])


def _numbers(encoded: bytes) -> list[int]:
    """The signed numbers one after the other."""
    numbers = []
    bits = shift = 0
    for character in encoded:
        piece = character - _OFFSET
        if piece & _MORE:
            bits |= (piece ^ _MORE) << shift
            shift += 5
        else:
            bits |= piece << shift
            numbers.append(~(bits >> 1) if bits & 1 else bits >> 1)
            bits = shift = 0
    if shift:
        raise ValueError("The encoded line ends within a number.")
    return numbers
