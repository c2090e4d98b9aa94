"""Progress of long jobs: lines that end with a percentage."""

import io
import re

from tracker.system.progress import Percent, Teller


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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_written_over() -> None:
    """Other lines and the last percentage stay; each clears what stood there."""
    teller = Teller(screen := Terminal())
    for line in ("Begun", "Tiles: 0 %", "Tiles: 37 %", "Waiting", "Tiles: 99 %", "Tiles: 100 %", "Done"):
        teller.say(line)
    clear = "\x1b[K"
    assert screen.getvalue() == (
        f"Begun\nTiles: 0 %\r{clear}Tiles: 37 %\r{clear}Waiting\nTiles: 99 %\r{clear}Tiles: 100 %\nDone\n"
    )


def test_a_log_has_a_line_for_each_tenth() -> None:
    """Of each job by itself, and again where it begins anew; whatever follows the percentage."""
    teller = Teller(log := io.StringIO(), indent="  ")
    for percent in range(101):
        teller.say(f"Tiles: {percent} %")
        teller.say(f"Downloading the map: {percent} % of 3.00 GB")
    for line in ("Tiles: 5 %", "Tiles: 9 %", "Tiles: 98 %", "Tiles: 100 %", "Tiles: 100 %"):
        teller.say(line)
    tiles = [line for line in log.getvalue().splitlines() if "Tiles" in line]
    assert tiles == [f"  Tiles: {percent} %" for percent in (*range(0, 101, 10), 5, 98, 100)]
    assert log.getvalue().count("of 3.00 GB") == 11
