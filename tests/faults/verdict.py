"""Verdict: what stretches of quiet and of attack did to others, and what of it the machine did."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.stalls import Stall
from tests.faults.waited import Slower, Waited
from tests.faults.watching import Seen

TICKS: Final = 100  # of /proc/stat, in a second
QUIET, CONTROL = "quiet", " control"  # names of states; the second is added to an attack's
OVERLAPPING: Final = 8  # stalls, at the most, that a fix can be in


class Stretch(msgspec.Struct, frozen=True):
    """Some seconds of one state."""

    began: float  # by the system's clock, in seconds
    ended: float
    stolen: float = 0.0  # seconds that the host took from our cores
    connecting_mb: float = 0.0  # what the attackers' open sockets cost, where they are the attack
    memory_mb: float = 0.0  # the most that the service grew by, once the attackers were there
    attackers: dict[str, int] = {}  # what became of them


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    stretches: list[tuple[str, int, Stretch]]  # each with its state and round
    seen: list[Seen]  # by when they were sent
    unseen: int  # fixes that no customer saw
    stalls: list[Stall]  # by when they began


class State:
    """All stretches of one state."""

    def __init__(self, name: str, measured: Measured) -> None:
        chosen = [(number, stretch) for state, number, stretch in measured.stretches if state == name]
        rounds = 1 + max(number for number, _ in chosen)
        self._name, self._stretches = name, [stretch for _, stretch in chosen]
        self._all: list[list[float]] = [[] for _ in range(rounds)]
        self._undisturbed: list[list[float]] = [[] for _ in range(rounds)]
        for number, stretch in chosen:
            for one in _within(measured.seen, stretch):
                self._all[number].append(one.took_ms)
                if not _stood(measured.stalls, one):
                    self._undisturbed[number].append(one.took_ms)

    def lines(self, quiet: "State") -> str:
        every, some = Waited.of(self._all), Waited.of(self._undisturbed)
        slower, still = ("", "")
        if self is not quiet:
            slower = str(Slower.of(self._all, quiet._all))
            still = str(Slower.of(self._undisturbed, quiet._undisturbed))
        seconds = sum(one.ended - one.began for one in self._stretches)
        lost = sum(one.stolen for one in self._stretches) / seconds
        connecting = max(one.connecting_mb for one in self._stretches)
        memory = max(one.memory_mb for one in self._stretches)
        return (
            f"{self._name:24}{every.fixes:6}{every.median_ms:7.2f}{every.p99_ms:7.2f}  {slower:22}"
            f"{some.fixes:6}{some.p99_ms:7.2f}  {still:22}{lost:6.1%}{connecting:6.1f}{memory:6.1f}"
            f"  {self._attackers()}"
        )

    def _attackers(self) -> str:
        counts = Counter[str]()
        for one in self._stretches:
            counts.update(one.attackers)
        return ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))


def verdict(measured: Measured) -> str:
    """A table: of all fixes, and of those during which the machine did not stand still."""
    names = dict.fromkeys(sorted(state for state, _, _ in measured.stretches))
    states = {name: State(name, measured) for name in names}
    stood = sum(ended - began for began, ended in measured.stalls)
    head = (
        f"{'ms':24}{'fixes':>6}{'median':>7}{'p99':>7}  {'against quiet':22}"
        f"{'fixes':>6}{'p99':>7}  {'against quiet':22}{'stolen':>6}{'come':>6}{'MB':>6}"
    )
    foot = (
        f"{measured.unseen} fixes unseen; the machine stood still {len(measured.stalls)} times, {stood:.1f} s"
    )
    return "\n".join([head, *(state.lines(states[QUIET]) for state in states.values()), foot])


def _within(seen: Sequence[Seen], stretch: Stretch) -> Sequence[Seen]:
    """Those that were sent in it, however late they came."""
    first, last = (bisect_left(seen, at, key=lambda one: one.sent) for at in (stretch.began, stretch.ended))
    return seen[first:last]


def _stood(stalls: Sequence[Stall], one: Seen) -> bool:
    """Whether a core stood still while this fix was on its way; of two cores some stalls overlap."""
    at = bisect_left(stalls, one.arrived, key=lambda stall: stall[0])
    return any(ended > one.sent for _, ended in stalls[max(0, at - OVERLAPPING) : at])


def stolen() -> float:
    """Seconds that the host has taken from our cores, since the start of the machine."""
    return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / TICKS
