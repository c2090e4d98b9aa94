"""Progress of long jobs: lines that end with a percentage."""

import re

from tracker.progress import Percent


class Clock:
    """Seconds that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_end_with_a_percentage_that_only_grows() -> None:
    """One line a second at most, the first and the last one always."""
    said: list[str] = []
    clock = Clock()
    percent = Percent(said.append, "Map tiles", clock=clock)
    for step in range(1001):
        percent.reach(step / 1000)
        percent.reach(step / 2000)  # behind what was said
        clock.now += 0.01
    assert said[0] == "Map tiles: 0 %"
    assert said[-1] == "Map tiles: 100 %"
    assert 10 <= len(said) <= 12
    numbers = [int(re.fullmatch(r"Map tiles: (\d+) %", line)[1]) for line in said]  # type: ignore[index]
    assert numbers == sorted(set(numbers))


def test_a_short_job_can_be_silent() -> None:
    """What ends before anybody wonders says nothing; what goes on says where it is."""
    said: list[str] = []
    clock = Clock()
    percent = Percent(said.append, "Addresses", quiet_for=2.0, clock=clock)
    percent.reach(0.5)
    percent.reach(1)
    assert said == []
    slow = Percent(said.append, "Addresses", quiet_for=2.0, clock=clock)
    clock.now += 2.5
    slow.reach(0.5)
    slow.reach(1)
    assert said == ["Addresses: 50 %", "Addresses: 100 %"]
