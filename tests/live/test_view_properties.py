"""Readers of one order, by every way, cut off at random and slow at random, end with equal states."""

import asyncio
from functools import partial
from random import Random
from typing import Any

import pytest

from tests.service import Service, hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import becomes_true
from tests.watchers import WAYS, Watcher

STEPS = 60
READERS_A_WAY = 3
SETTLES_WITHIN = 30.0  # seconds; after 15 the position is called stale, which is one update more


async def watch_with_cuts(service: Service, token: str, ways: list[Any], watcher: Watcher, seed: str) -> None:
    """Until the order's end: cut off after random times, back after others, by the same or another way."""
    random = Random(seed)
    while watcher.ended is None:
        way = random.choice(ways)
        watching = asyncio.create_task(watcher.watch(way(service, token, watcher.cursor)))
        await asyncio.wait([watching], timeout=random.choice([0.05, 0.2, 0.6, 1.5]))
        if not watching.done():
            watching.cancel()
        await asyncio.wait([watching])
        if watching.done() and not watching.cancelled() and watcher.ended is None:
            watching.result()
        await asyncio.sleep(random.choice([0.0, 0.05, 0.4]))  # simulates a network that is away


async def drive(service: Service, driver: Any, order: Any, random: Random) -> None:
    """Moves at random paces, speaks, and brings the order."""
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        share = 0.0
        for step in range(STEPS):
            share += random.choice([0.0, 0.004, 0.01])
            await say(courier, type="fixes", id=step, fixes=[fix(0.0, *on_the_way(share))])
            await hear(courier, "ack")
            if step % 20 == 10:
                await say(courier, type="message", id=1000 + step, order_id=order["id"], text=f"Word {step}")
                await hear(courier, "ack")
            if step == STEPS // 2:
                await say(courier, type="status", id=2000, order_id=order["id"], status="picked_up")
                await hear(courier, "ack")
            await asyncio.sleep(random.choice([0.0, 0.02, 0.1, 0.3]))  # simulates an irregular device


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
async def test_all_readers_end_with_equal_states(service: Service, seed: int) -> None:
    """Whatever was cut or conflate, by whichever way: the same state, trail included, and every word."""
    random = Random(seed)
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    token = token_of(order)
    choices = [[way] for way in WAYS.values()] * READERS_A_WAY + [list(WAYS.values())] * READERS_A_WAY
    watchers = [Watcher() for _ in [*choices, *WAYS]]
    steady = [
        asyncio.create_task(watcher.watch(way(service, token)))
        for watcher, way in zip(watchers[len(choices) :], WAYS.values(), strict=True)
    ]
    cut = [
        asyncio.create_task(watch_with_cuts(service, token, ways, watcher, f"{seed} {number}"))
        for number, (ways, watcher) in enumerate(zip(choices, watchers, strict=False))
    ]
    try:
        for watcher in watchers:
            await watcher.reaches(partial(has_cursor, watcher), within=15.0)
        await drive(service, driver, order, random)
        await settled(service, token, watchers)
        for watcher in watchers:
            heard = {message["text"] for message in watcher.of("message")}
            assert heard == {f"Word {step}" for step in range(STEPS) if step % 20 == 10}
    finally:
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        async with asyncio.timeout(30.0):
            await asyncio.gather(*cut, *steady)
    assert {watcher.ended for watcher in watchers} == {"delivered"}
    assert all(watcher.state == watchers[0].state for watcher in watchers)


def has_cursor(watcher: Watcher) -> bool:
    return bool(watcher.cursor)


async def settled(service: Service, token: str, watchers: list[Watcher]) -> None:
    """Waits until all hold what one who looks now is shown; fails the test where they never do."""
    different: list[Watcher] = []
    expected: dict[str, Any] = {}

    async def is_settled() -> bool:
        nonlocal different, expected
        fresh = await service.get(f"/v1/track/{token}")
        expected = {name: fresh[name] for name in watchers[0].state}
        different = [watcher for watcher in watchers if watcher.state != expected]
        return not different

    if not await becomes_true(is_settled, SETTLES_WITHIN, every=0.2):
        assert different[0].state == expected
    assert len(expected["trail"]["coordinates"]) > 10
