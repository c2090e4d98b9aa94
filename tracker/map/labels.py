"""Labels: names from a map as they can be shown. Pure."""

from typing import Final

LONGEST: Final = 200  # characters
# Not printable, but parts of words: joiners of Persian, Indic scripts and emoji, and direction marks.
_KEPT: Final = "\u200c\u200d\u200e\u200f"


def clean(text: str) -> str:
    """In one line, without control characters, cut at 200 characters."""
    shown = "".join(each if each.isprintable() or each in _KEPT else " " for each in text)
    return " ".join(shown.split())[:LONGEST]
