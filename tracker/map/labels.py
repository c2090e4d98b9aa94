"""Labels: names from the map, made safe to display. Pure."""

from typing import Final

LONGEST: Final = 200  # characters
# Not printable, but parts of words: joiners in Persian, Indic scripts and emoji, and direction marks.
_KEPT: Final = "\u200c\u200d\u200e\u200f"


def clean(text: str) -> str:
    """Return the text as one line without control characters, at most 200 characters long."""
    printable = "".join(each if each.isprintable() or each in _KEPT else " " for each in text)
    return " ".join(printable.split())[:LONGEST]
