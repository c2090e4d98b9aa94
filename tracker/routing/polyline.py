"""The engine's encoded lines: differences of whole millionths of a degree, in pieces of five bits."""

from typing import Final

from tracker.domain.geo import LonLat

_SCALE: Final = 1e-6  # degrees
_OFFSET: Final = 63  # makes every piece a printable character
_MORE: Final = 0x20  # set while further pieces of the same number follow


def decode(encoded: str) -> tuple[LonLat, ...]:
    """The places of a line; ValueError where the text ends within a number."""
    line: list[LonLat] = []
    position = lat = lon = 0
    while position < len(encoded):
        step, position = _number(encoded, position)
        lat += step
        step, position = _number(encoded, position)
        lon += step
        line.append(LonLat(round(lon * _SCALE, 6), round(lat * _SCALE, 6)))
    return tuple(line)


def _number(encoded: str, position: int) -> tuple[int, int]:
    """The signed number that begins there, and where the next one begins."""
    bits = shift = 0
    for at in range(position, len(encoded)):
        piece = ord(encoded[at]) - _OFFSET
        bits |= (piece & ~_MORE) << shift
        if not piece & _MORE:
            return (~(bits >> 1) if bits & 1 else bits >> 1), at + 1
        shift += 5
    raise ValueError("The encoded line ends within a number.")
