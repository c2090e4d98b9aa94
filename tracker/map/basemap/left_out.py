"""Features that the map leaves out, with reasons. A bad feature must not fail its tile or the start."""

from collections import Counter
from typing import Final

SUMMARY_ENDS: Final = "features left out"  # the last line of the builder is `12 features left out: …`


class Undrawable(Exception):
    """This feature cannot be drawn; the text is the reason in a few words."""


class LeftOut:
    """The number of features left out, by layer and reason."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, layer: str, reason: str) -> None:
        self._counts[layer, reason] += 1

    def summary(self) -> str | None:
        """Return `3 features left out: 2 buildings (not an area), 1 roads (…)`, or None if there are none."""
        if not self._counts:
            return None
        parts = [f"{number} {layer} ({why})" for (layer, why), number in sorted(self._counts.items())]
        return f"{self._counts.total()} {SUMMARY_ENDS}: {', '.join(parts)}"
