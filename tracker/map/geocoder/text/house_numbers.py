"""House numbers as maps and people write them. Pure."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tracker.map.geocoder.text.words import fold

MAX_NUMBER: Final = 99_999
RANGE: Final = 40  # the longest range of numbers that is taken apart
_DIGITS: Final = re.compile(r"\d+")
_SIMPLE: Final = re.compile(r"\d+\s?[a-zA-Z]?(?:\s?[-–]\s?\d+\s?[a-zA-Z]?)?")
_RANGE: Final = re.compile(r"(\d+)[a-z]?\s?[-–—]\s?(\d+)[a-z]?")


class HouseNumber(NamedTuple):
    """One number of a house."""

    number: int
    label: str  # folded, without spaces, such as `12a`, `12-14`, `12/3`
    shown: str  # as in the map
    is_inner: bool = False  # one of the numbers within a range


def label(text: str) -> str:
    """Return the form in which house numbers are compared: `12 A` as `12a`."""
    return re.sub(r"[\s.]+", "", fold(text)).replace("–", "-").replace("—", "-")


def parse(tag: str) -> Iterator[HouseNumber]:
    """Yield the numbers of an `addr:housenumber`: `12;14` has two, `12-16` has 14 within it."""
    first_part, *others = (part.strip() for part in re.split("[,;]", tag)[:10])
    for part in (first_part, *filter(_SIMPLE.fullmatch, others)):  # not `5. floor`
        found = _DIGITS.search(fold(part))
        if not found or int(found[0]) > MAX_NUMBER or len(part) > 20:
            continue
        yield HouseNumber(int(found[0]), label(part), part)
        if whole := _RANGE.fullmatch(fold(part)):
            first, last = int(whole[1]), int(whole[2])
            step = 2 if (last - first) % 2 == 0 else 1
            if first < last <= first + RANGE:
                for number in range(first + step, last + 1, step):
                    yield HouseNumber(number, str(number), str(number), is_inner=True)


def between(kind: str, first: str, last: str) -> list[str]:
    """Return the numbers of an `addr:interpolation` between those of its ends: `even`, `odd`, `all`, `2`."""
    if not (first.isdecimal() and last.isdecimal()):
        return _letters(first, last) if kind == "alphabetic" else []
    step = {"even": 2, "odd": 2, "all": 1}.get(kind) or (int(kind) if kind.isdecimal() else 0)
    low, high = int(first), int(last)
    if step < 1 or abs(high - low) > 2_000:
        return []
    numbers = [str(n) for n in range(min(low, high) + step, max(low, high), step)]
    return numbers if low < high else numbers[::-1]


def _letters(first: str, last: str) -> list[str]:
    """Return `12b`, `12c` between `12a` and `12d`."""
    one, other = (re.fullmatch(r"(\d+)\s?([a-z])", fold(each)) for each in (first, last))
    if one is None or other is None or one[1] != other[1]:
        return []
    return [f"{one[1]}{chr(n)}" for n in range(ord(one[2]) + 1, ord(other[2]))]
