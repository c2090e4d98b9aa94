"""Resolving: the one place that an address means, for orders. A doubtful address gets candidates instead."""

from math import cos, hypot, radians
from typing import Final, NamedTuple

from tracker.map.geocoder.finding.index import Index
from tracker.map.geocoder.finding.search import Hit, search

NAME: Final = 0.82  # how well the name must fit: one error, its type left out, or two thirds of a word
RIVAL: Final = 0.03  # of the score; what is that close to the best may be meant as well
SAME: Final = 200.0  # metres; two results within these are one place
CANDIDATES: Final = 5
_DEGREE: Final = 111_195.0  # metres


class Resolved(NamedTuple):
    """What an address means."""

    hit: Hit | None  # None: nothing fits, or several places
    candidates: list[Hit]  # what may be meant, the best first
    is_ambiguous: bool  # whether several places fit


def resolve(index: Index, text: str) -> Resolved:
    """Return the place that a whole address means."""
    hits = search(index, text, CANDIDATES + 3, typing=False)
    fits = [hit for hit in hits if hit.name >= NAME and hit.is_explained]
    rivals = [hit for hit in fits[1:] if hit.score > fits[0].score - RIVAL and _metres(hit, fits[0]) > SAME]
    is_clear = bool(fits) and not rivals
    return Resolved(fits[0] if is_clear else None, hits[:CANDIDATES], bool(rivals))


def _metres(one: Hit, other: Hit) -> float:
    east = ((one.lon - other.lon + 180.0) % 360.0 - 180.0) * cos(radians(one.lat))
    return hypot(one.lat - other.lat, east) * _DEGREE
