"""How often and how old: pace, flow control, freshness, and what drivers are asked for meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.api.merchant import parse
from tests.service import Service, hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.watchers import WAYS, Watcher, by_socket

CHANGING = 6.0  # seconds
OLDEST = 3.0  # seconds


async def move(service: Service, driver: Any, seconds: float, hertz: float) -> None:
    """A driver whose position changes so often."""
    clock = asyncio.get_running_loop().time
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        begun = clock()
        for n in range(int(seconds * hertz)):
            await say(courier, type="fixes", id=n, fixes=[fix(0.0, *on_the_way(n / 2_000))])
            await hear(courier, "ack")
            await asyncio.sleep(max(0.0, begun + (n + 1) / hertz - clock()))  # simulates the rate


def has_position(watcher: Watcher) -> bool:
    return bool(watcher.state["position"])


async def on_the_road(service: Service) -> tuple[Any, Any]:
    driver = await service.new_driver()
    return driver, await service.new_order(driver["id"])


async def test_a_slow_reader_that_tells_what_it_showed_is_never_behind(service: Service) -> None:
    """State changing ten times a second, two frames a second read, `seen` sent: never older than three."""
    driver, order = await on_the_road(service)
    ages: list[float] = []
    async with service.watch(order) as customer:
        await say(customer, type="seen", cursor=(await hear(customer, "snapshot"))["cursor"])
        driving = asyncio.create_task(move(service, driver, CHANGING, 10.0))
        while not driving.done():
            message = await hear(customer, "update", "heartbeat", within=20.0)
            await asyncio.sleep(0.5)  # simulates a slow reader
            if message.get("position"):
                shown = parse(message["position"]["recorded_at"])
                ages.append((datetime.now(UTC) - shown).total_seconds())
            await say(customer, type="seen", cursor=message["cursor"])
        await driving
    assert len(ages) > CHANGING / 2
    assert max(ages[1:]) <= OLDEST


@asynccontextmanager
async def watched_every_way(service: Service, order: Any) -> AsyncIterator[dict[str, Watcher]]:
    """A customer of each kind, who has been told the state; by its name."""
    watchers = {name: Watcher() for name in WAYS}
    watching = [
        asyncio.create_task(watcher.watch(WAYS[name](service, token_of(order))))
        for name, watcher in watchers.items()
    ]
    try:
        for watcher in watchers.values():
            await watcher.reaches(watcher.was_told)
        yield watchers
    finally:
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)


def is_at(watcher: Watcher, lat: float) -> bool:
    position = watcher.state["position"]
    return position is not None and position["lat"] == pytest.approx(lat, abs=1e-7)


async def test_at_most_two_updates_a_second_go_to_one_customer(service: Service) -> None:
    """However often the state changes; and the last is the newest."""
    driver, order = await on_the_road(service)
    async with watched_every_way(service, order) as watchers:
        await move(service, driver, 3.0, 20.0)
        last = on_the_way(59 / 2_000)[0]
        for watcher in watchers.values():
            await watcher.reaches(partial(is_at, watcher, last))
    for name, watcher in watchers.items():
        # An update carries the time of its newest change, up to half a second before it is sent.
        changed = [parse(message["now"]).timestamp() for message in watcher.of("update")]
        assert 4 <= len(changed) <= 2.0 * (changed[-1] - changed[0] + 0.5) + 1.5, name


async def test_an_update_follows_a_fix_within_a_second_on_every_way(service: Service) -> None:
    """For all four kinds of reader at once."""
    driver, order = await on_the_road(service)
    async with watched_every_way(service, order) as watchers:
        await move(service, driver, 1.0, 1.0)
        for watcher in watchers.values():
            await watcher.reaches(partial(has_position, watcher), within=1.0)


@pytest.mark.parametrize(
    ("seconds_ago", "before", "after"), [(13.5, "live", "stale"), (118.5, "stale", "lost")]
)
async def test_silence_is_told_by_a_timer(
    service: Service, seconds_ago: float, before: str, after: str
) -> None:
    """Nothing has to arrive; and it is never told too late by more than the timer's second."""
    driver, order = await on_the_road(service)
    old = fix(seconds_ago, *on_the_way(0.1))
    watcher = Watcher()
    watching = asyncio.create_task(watcher.watch(by_socket(service, token_of(order))))
    await watcher.reaches(lambda: bool(watcher.told))
    await service.post("/v1/drivers/fixes", [old], Authorization=f"Bearer {driver['token']}")
    await watcher.reaches(lambda: watcher.state["freshness"] == before)
    await watcher.reaches(lambda: watcher.state["freshness"] == after, within=5.0)
    told = parse(watcher.of("update")[-1]["now"])
    age = (told - msgspec.convert(old["recorded_at"], datetime)).total_seconds()
    assert age <= {"stale": 15.0, "lost": 120.0}[after] + 1.6
    watching.cancel()


async def test_a_clock_that_is_ahead_makes_nothing_younger(service: Service) -> None:
    """A fix from the future counts from when we heard of it."""
    driver, order = await on_the_road(service)
    ahead = fix(-40.0, *on_the_way(0.1))
    await service.post("/v1/drivers/fixes", [ahead], Authorization=f"Bearer {driver['token']}")
    snapshot = await service.get(f"/v1/track/{token_of(order)}")
    assert parse(snapshot["position"]["recorded_at"]) <= parse(snapshot["now"])


async def test_drivers_report_faster_while_somebody_watches(service: Service) -> None:
    """The policy comes by itself; who connects then is welcomed with it."""
    driver, order = await on_the_road(service)
    far = on_the_way(-3.0)
    async with service.drive(driver["token"]) as courier:
        assert (await hear(courier, "welcome"))["policy"] == {"interval_s": 5, "min_move_m": 10}
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *far)])
        await hear(courier, "ack")
        async with service.watch(order) as customer:
            await hear(customer, "snapshot")
            quick = await hear(courier, "policy", within=5.0)
            assert quick["policy"] == {"interval_s": 2, "min_move_m": 5}
    async with service.drive(driver["token"]) as courier:
        assert (await hear(courier, "welcome"))["policy"] == quick["policy"]
