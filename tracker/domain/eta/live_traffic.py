"""Live traffic: how slow streets are now, from the positions of all drivers on the road.

A driver in a queue spends seconds and covers no metres, so a jam shows before anybody arrives.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import nlargest
from math import exp
from typing import Final

from tracker.domain.eta.ratio import Ratio
from tracker.domain.leg import Edge

MEMORY: Final = 1_200.0  # seconds after which an observation is weighted 1/e
NETWORK_PRIOR: Final = 600.0  # expected seconds; weight of ordinary traffic in the network's ratio
KIND_PRIOR: Final = 300.0  # expected seconds; weight of the network's ratio within a kind of street
STREET_PRIOR: Final = 30.0  # expected seconds; weight of the kind's ratio on one street
STREETS_KEPT: Final = 50_000  # streets with the most seconds, about 10 MB; the others are dropped
FORGOTTEN: Final = 1.0  # seconds; a street with less, after fading, is dropped
SLOW_NETWORK: Final = 1.05  # live per learned seconds; up to this, traffic counts as usual
REBASE_AFTER: Final = 6.0 * MEMORY  # seconds; then weights are divided, so that they stay small numbers
MOST_LOG_WEIGHT: Final = 500.0  # below the overflow of `exp`, after days without a fix
_BEGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)

type _Kind = tuple[str, bool]
"""A class of road, and whether traffic lights stand at the street's end."""


class LiveTraffic:
    """Driven and expected seconds of one kind of vehicle on this node. Nothing of it is stored.

    Old observations don't fade one by one. Newer ones count more instead, and the priors with them.
    """

    __slots__ = ("_base", "_kinds", "_network", "_newest", "_streets")

    def __init__(self) -> None:
        self._base = self._newest = _BEGIN  # the time whose observations have the weight 1; the newest time
        self._network = Ratio()
        self._kinds: dict[_Kind, Ratio] = {}
        self._streets: dict[str, Ratio] = {}

    def add(self, edge: Edge, driven: float, expected: float, at: datetime) -> None:
        """Add a driver's seconds and the learned seconds for the same metres, below zero if they went back.

        Fixes may come late and in any order: each counts by its own time.
        """
        if (at - self._base).total_seconds() > REBASE_AFTER or len(self._streets) > 1.1 * STREETS_KEPT:
            self._rebase(max(at, self._base))
        self._newest = max(at, self._newest)
        weight = self._weight(at)
        driven, expected = weight * driven, weight * expected
        self._network.add(driven, expected)
        _tally(self._kinds, (edge.road_class, edge.signal)).add(driven, expected)
        if edge.key:
            _tally(self._streets, edge.key).add(driven, expected)

    def network(self, at: datetime) -> float:
        """Return driven per learned seconds in the whole network; 1 in ordinary traffic.

        Like `ratios`, for *at* or the newest observation, whichever is later.
        """
        return _shrunk(self._network, 1.0, NETWORK_PRIOR * self._weight(max(at, self._newest)))

    def ratios(self, edges: Iterable[Edge], at: datetime) -> list[float]:
        """Return driven per learned seconds of each street."""
        weight, network = self._weight(max(at, self._newest)), self.network(at)
        kinds = {kind: _shrunk(tally, network, KIND_PRIOR * weight) for kind, tally in self._kinds.items()}
        streets, prior, found = self._streets, STREET_PRIOR * weight, list[float]()
        for edge in edges:
            ratio, tally = kinds.get((edge.road_class, edge.signal), network), streets.get(edge.key)
            if tally is not None:  # as `_shrunk`, which takes longer to call than to compute
                expected = tally.expected if tally.expected > 0.0 else 0.0
                ratio = (prior * ratio + tally.observed) / (prior + expected)
            found.append(ratio)
        return found

    @property
    def street_count(self) -> int:
        """The number of streets with observations."""
        return len(self._streets)

    def _weight(self, at: datetime) -> float:
        return exp(min((at - self._base).total_seconds() / MEMORY, MOST_LOG_WEIGHT))

    def _rebase(self, at: datetime) -> None:
        """Give the weight 1 to observations of *at*, and drop the streets with the fewest seconds."""
        keep = 1.0 / self._weight(at)
        for tally in (self._network, *self._kinds.values(), *self._streets.values()):
            tally.observed *= keep
            tally.expected *= keep
        self._base = at
        kept = [(key, tally) for key, tally in self._streets.items() if tally.observed >= FORGOTTEN]
        if len(kept) > STREETS_KEPT:
            kept = nlargest(STREETS_KEPT, kept, lambda street: street[1].observed)
        self._streets = dict(kept)


def delay_of(ratio: float) -> float:
    """Return the factor on forecasts for this ratio of live to learned seconds, at least 1.

    Little more than usual may be what the model has wrong, and a few fast drivers make nobody else faster.
    """
    return max(ratio / SLOW_NETWORK, 1.0)


def _tally[Key](tallies: dict[Key, Ratio], key: Key) -> Ratio:
    tally = tallies.get(key)
    if tally is None:
        tally = tallies[key] = Ratio()
    return tally


def _shrunk(tally: Ratio, prior: float, weight: float) -> float:
    """Return driven per learned seconds, shrunk towards *prior*. Drivers who went back count as standing."""
    expected = tally.expected if tally.expected > 0.0 else 0.0
    return (weight * prior + tally.observed) / (weight + expected)
