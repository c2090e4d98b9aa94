"""The pacer keeps its schedule: a slow service, or a slow tool, moves no fix to a later due time."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from driver_sim.load.driver import LoadDriver
from driver_sim.load.pacer import Pacer


class Recording:
    """Stands for a driver, and blocks the tool for a moment at its first fix."""

    def __init__(self, *, joined: bool = True) -> None:
        self.joined = joined
        self.fixes: list[tuple[datetime, float]] = []
        self.block_s = 0.0

    def send_fix(self, recorded_at: datetime, due: float, dt: float) -> None:
        assert dt == 0.1
        self.fixes.append((recorded_at, due))
        if self.block_s:
            until = asyncio.get_running_loop().time() + self.block_s
            while asyncio.get_running_loop().time() < until:
                pass
            self.block_s = 0.0


async def pace(drivers: Iterable[Recording], *, whole_seconds: bool = False) -> list[float]:
    late: list[float] = []
    pacer = Pacer(
        [cast("LoadDriver", one) for one in cast("Iterable[Any]", drivers)],
        10.0,
        whole_seconds=whole_seconds,
        on_late=late.append,
    )
    await pacer.run(0.5)
    return late


async def test_fixes_keep_their_due_times_when_the_tool_is_late() -> None:
    first, second = Recording(), Recording()
    first.block_s = 0.25
    late = await pace([first, second])
    dues = sorted(due for one in (first, second) for _, due in one.fixes)
    assert len(dues) == 10
    gaps = [after - before for before, after in pairwise(dues)]
    assert gaps == pytest.approx([0.05] * 9)
    assert max(late) >= 0.19  # the block counts as delay of the fixes that were due meanwhile
    times = [at for at, _ in first.fixes]
    assert times[-1] - times[0] == pytest.approx(timedelta(seconds=0.4), abs=timedelta(milliseconds=2))


async def test_drivers_that_have_not_joined_send_nothing() -> None:
    joined, absent = Recording(), Recording(joined=False)
    await pace([joined, absent])
    assert (len(joined.fixes), len(absent.fixes)) == (5, 0)


async def test_times_are_as_precise_as_the_app_sends_them() -> None:
    whole, precise = Recording(), Recording()
    await pace([whole], whole_seconds=True)
    await pace([precise])
    assert {at.microsecond for at, _ in whole.fixes} == {0}
    assert {at.microsecond % 1000 for at, _ in precise.fixes} == {0}
    assert abs(precise.fixes[0][0] - datetime.now(UTC)) < timedelta(seconds=10)
