"""Cost of a stop sequence with time windows, and the search for the cheapest one.

Times are seconds from now. A driver who arrives before a stop opens waits there. A good sequence has little
driving, ends early, is never late and keeps customers waiting only briefly.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

import msgspec

LATE: Final = 10.0  # cost of a second of lateness, in seconds of driving
HURRY: Final = 0.25  # the same for a second of the mean arrival; a stop of tomorrow keeps nobody waiting
UNREACHABLE_S: Final = 1e9  # seconds, where no route exists
MIN_GAIN_S: Final = 1e-6  # seconds; a smaller gain is a rounding error

type Matrix = Sequence[Sequence[float]]


class Timing(msgspec.Struct, frozen=True):
    """Opening, closing and service time of each stop."""

    opens: Sequence[float]  # seconds from now; zero or less: open already
    closes: Sequence[float]  # seconds from now; infinite: never
    service: Sequence[float]  # seconds

    @property
    def matters(self) -> bool:
        """Whether any stop has a time window; without one, the sequence with the least driving is best."""
        return any(at > 0.0 for at in self.opens) or any(at < inf for at in self.closes)


def schedule_cost(sequence: Sequence[int], start: Sequence[float], seconds: Matrix, timing: Timing) -> float:
    """Return the cost of driving, waiting, lateness and the end of this sequence, in seconds of driving.

    The searches spend most of their time here.
    """
    opens, closes, service = timing.opens, timing.closes, timing.service
    hurry = HURRY / len(opens) if opens else 0.0
    now, cost, row = 0.0, 0.0, start
    for stop in sequence:
        driving = row[stop]
        driving = min(driving, UNREACHABLE_S)
        now += driving
        now = max(now, opens[stop])
        cost += driving + now * hurry
        if now > closes[stop]:
            cost += (now - closes[stop]) * LATE
        now += service[stop]
        row = seconds[stop]
    return cost + now


class _Label(msgspec.Struct, frozen=True, gc=False):
    """A partial sequence. One that is neither later nor costlier is better, whatever follows."""

    now: float  # when the driver leaves the last stop
    cost: float
    stop: int
    before: "_Label | None" = None


type _Layer = dict[tuple[int, int], list[_Label]]
"""Labels by (the served stops as a bit set, the last stop)."""


def cheapest(
    start: Sequence[float], seconds: Matrix, before: Mapping[int, int], timing: Timing, bound: float = inf
) -> list[int] | None:
    """Return the cheapest feasible sequence of all stops; None if none costs less than *bound*.

    Exact label-setting search: for each set of served stops and its last one, it keeps every partial sequence
    that no other dominates. The effort grows with the number of sets, so use it for up to 12 stops.
    """
    return _Search(seconds, before, timing, bound).run(start)


class _Search:
    """Label-setting search, one layer for each number of served stops."""

    def __init__(self, seconds: Matrix, before: Mapping[int, int], timing: Timing, bound: float) -> None:
        self._seconds, self._timing, self._bound = seconds, timing, bound
        self._stops = range(len(seconds))
        self._hurry = HURRY / len(seconds)
        self._needs = [1 << before[stop] if stop in before else 0 for stop in self._stops]

    def run(self, start: Sequence[float]) -> list[int] | None:
        self._nearest = [
            min([start[b], *(self._seconds[a][b] for a in self._stops if a != b)]) for b in self._stops
        ]
        layer: _Layer = {}
        self._extend(layer, 0, None, start)
        for _ in self._stops[1:]:
            following: _Layer = {}
            for (served, last), labels in layer.items():
                for label in _undominated(labels):
                    if self._lower_bound(served, label) < self._bound:
                        self._extend(following, served, label, self._seconds[last])
            layer = following
        complete = [label for labels in layer.values() for label in labels]
        best = min(complete, key=lambda label: label.cost + label.now, default=None)
        return None if best is None or best.cost + best.now >= self._bound else _backtrack(best)

    def _extend(self, layer: _Layer, served: int, label: _Label | None, row: Sequence[float]) -> None:
        now, spent = (0.0, 0.0) if label is None else (label.now, label.cost)
        for stop in self._stops:
            if served >> stop & 1 or self._needs[stop] & ~served or row[stop] == inf:
                continue
            begin = max(now + row[stop], self._timing.opens[stop])
            cost = spent + row[stop] + self._service_cost(stop, begin)
            done = begin + self._timing.service[stop]
            layer.setdefault((served | 1 << stop, stop), []).append(_Label(done, cost, stop, label))

    def _lower_bound(self, served: int, label: _Label) -> float:
        """Return a lower bound of the total cost: each open stop comes next, from its nearest neighbour."""
        end, cost = label.now, label.cost
        for stop in self._stops:
            if not served >> stop & 1:
                begin = max(label.now + self._nearest[stop], self._timing.opens[stop])
                cost += self._nearest[stop] + self._service_cost(stop, begin)
                end += self._nearest[stop] + self._timing.service[stop]
        return cost + end

    def _service_cost(self, stop: int, begin: float) -> float:
        late = begin - self._timing.closes[stop]
        return begin * self._hurry + (late * LATE if late > 0.0 else 0.0)


def _undominated(labels: list[_Label]) -> list[_Label]:
    kept: list[_Label] = []
    for label in sorted(labels, key=lambda label: (label.now, label.cost)):
        if not kept or label.cost < kept[-1].cost:
            kept.append(label)
    return kept


def _backtrack(label: _Label | None) -> list[int]:
    stops: list[int] = []
    while label is not None:
        stops.append(label.stop)
        label = label.before
    return stops[::-1]
