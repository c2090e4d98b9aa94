"""Waited: what the waiting of many rounds says, and how sure that is.

A machine's own noise comes in spells, so that fixes of one round are no independent samples; rounds, each
with every state in another order, are. The interval is found by drawing rounds again and again (a bootstrap).
"""

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Final

import msgspec

DRAWS: Final = 1_000
SURE: Final = 0.95

type Rounds = Sequence[Sequence[float]]  # milliseconds, by round


class Waited(msgspec.Struct, frozen=True):
    """What other customers waited for the fixes of their drivers, in milliseconds."""

    fixes: int
    median_ms: float
    p99_ms: float

    @classmethod
    def of(cls, rounds: Rounds) -> "Waited":
        took = _together(rounds)
        return cls(len(took), round(median(took), 2), round(p99(took), 2))


class Slower(msgspec.Struct, frozen=True):
    """By how much the p99 of one state is above another's (0.2 is 20 %), and where that lies with 95 %."""

    by: float
    least: float
    most: float

    @classmethod
    def of(cls, attacked: Rounds, other: Rounds) -> "Slower":
        """Rounds of one number belong together: they are drawn together."""
        count, random = len(attacked), Random(1)
        drawn = sorted(
            _ratio([attacked[at] for at in draw], [other[at] for at in draw])
            for draw in ([random.randrange(count) for _ in range(count)] for _ in range(DRAWS))
        )
        tail = round((1 - SURE) / 2 * DRAWS)
        return cls(round(_ratio(attacked, other), 3), round(drawn[tail], 3), round(drawn[-1 - tail], 3))

    def __str__(self) -> str:
        return f"{self.by:+.0%} ({self.least:+.0%} to {self.most:+.0%})"


def p99(took: Sequence[float]) -> float:
    """Of sorted ones."""
    return took[min(len(took) * 99 // 100, len(took) - 1)]


def _ratio(attacked: Rounds, other: Rounds) -> float:
    return p99(_together(attacked)) / p99(_together(other)) - 1


def _together(rounds: Rounds) -> list[float]:
    return sorted(took for one in rounds for took in one)
