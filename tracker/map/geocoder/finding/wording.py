"""Wording: a result as an address, in the order of its country. Pure."""

import re
from typing import Final

from tracker.map.geocoder.finding.houses import HousePlace
from tracker.map.geocoder.finding.index import Doc

_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_ROMANCE: Final = re.compile(
    r"(rue|avenue|boulevard|place|quai|impasse|chemin|allée|cours|passage)\b", re.IGNORECASE
)


def full_address(doc: Doc, house: HousePlace | None, *, is_number_first: bool) -> str:
    """Return `Street 5, 00100 City`, `5 Main Street, City 10011` or `5 Rue X, 75004 City`.

    *is_number_first*: as most streets of the map have it.
    """
    if _CJK.search(doc.name):
        return f"{doc.city}{doc.name}{house.shown if house else ''}"
    is_first = bool(doc.is_number_first) or is_number_first
    city, postcode = (doc.city, doc.postcode) if house is None else (house.city or doc.city, house.postcode)
    is_english = is_first and not _ROMANCE.match(doc.name)
    town = f"{city} {postcode}" if is_english else f"{postcode} {city}"
    parts = [_line(doc, house, is_first=is_first)]
    if doc.kind == "poi":
        parts.append(doc.area)
    if (town := town.strip()) and town != parts[0]:
        parts.append(town)
    return ", ".join(part for part in parts if part)


def _line(doc: Doc, house: HousePlace | None, *, is_first: bool) -> str:
    if house is None:
        return doc.name
    return f"{house.shown} {doc.name}" if is_first else f"{doc.name} {house.shown}"
