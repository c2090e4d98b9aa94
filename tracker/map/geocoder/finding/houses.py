"""Houses: the place of a number in a street, also of one that the map does not have."""

from math import cos, hypot, radians
from typing import Final, NamedTuple

from tracker.map.geocoder.finding.index import HouseRow, Index

GAP: Final = 200.0  # metres between two neighbours, within which a house between them is known well enough
REAL: Final = 0.05
GUESSED: Final = 0.0
UNKNOWN: Final = -0.05
NEXT_DOOR: Final = 4  # numbers; a house beside the last known one
_METRES: Final = 0.0111  # of 1e-7 degrees


class HousePlace(NamedTuple):
    """Where a house stands, as far as known."""

    lat: int
    lon: int
    shown: str
    city: str
    postcode: str
    is_known: bool  # the house, or its place between two near neighbours
    is_real: bool = False  # the map has this house

    @property
    def bonus(self) -> float:
        """How much more it is worth than a street without the number."""
        return REAL if self.is_real else GUESSED if self.is_known else UNKNOWN


def find_houses(index: Index, doc: int, labels: tuple[str, ...]) -> list[HousePlace]:
    """Return the houses with this number; several if the street has it at several places. Empty: unknown."""
    number = int("".join(_digits(labels[-1])))
    rows = index.houses(doc, number)
    for label in labels:
        if same := [row for row in rows if row.label == label]:
            return [_known(row) for row in same]
    if rows:
        plain = [row for row in rows if row.label == str(number)] or rows[:1]
        return [_known(row) for row in plain]
    place = _between(index, doc, number, labels[0])
    return [] if place is None else [place]


def _digits(label: str) -> list[str]:
    digits: list[str] = []
    for each in label:
        if each.isdecimal():
            digits.append(each)
        elif digits:
            break
    return digits


def _known(row: HouseRow) -> HousePlace:
    return HousePlace(row.lat, row.lon, row.shown, row.city, row.postcode, is_known=True, is_real=True)


def _between(index: Index, doc: int, number: int, label: str) -> HousePlace | None:
    """Return the place of a missing number between its neighbours, those on its side of the street first."""
    below, above = index.neighbours(doc, number)
    sides = [[row for row in rows if row.number % 2 == number % 2] for rows in (below, above)]
    for low, high in ((sides[0], sides[1]), (below, above)):
        if low and high:
            return _line(low[0], high[0], number, label)
    for rows in (sides[0], sides[1], below, above):
        if rows:
            row = rows[0]
            is_near = abs(row.number - number) <= NEXT_DOOR
            return HousePlace(row.lat, row.lon, label.upper(), row.city, row.postcode, is_known=is_near)
    return None


def _line(low: HouseRow, high: HouseRow, number: int, label: str) -> HousePlace:
    share = (number - low.number) / (high.number - low.number)
    lat = round(low.lat + (high.lat - low.lat) * share)
    lon = round(low.lon + (high.lon - low.lon) * share)
    near = low if share <= 0.5 else high
    gap = _METRES * hypot(high.lat - low.lat, (high.lon - low.lon) * cos(radians(low.lat / 1e7)))
    return HousePlace(lat, lon, label.upper(), near.city, near.postcode, is_known=gap <= GAP)
