"""Who is sent away for what they sent, again and again, has to wait; nobody else has."""

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.service import Service, hear, say, token_of
from tracker.messages import NOTE_BYTES
from tracker.rates import FORGIVEN_TIMES, FORGOTTEN_AFTER, Amends


def test_waits_begin_late_and_double() -> None:
    """Three times nothing, then 1, 2, 4 s and so on to 60; forgotten ten minutes after the last."""
    amends, now, waits = Amends(), 0.0, []
    for _ in range(FORGIVEN_TIMES + 8):
        amends.owe("a", now)
        waits.append(amends.wait("a", now))
        now += waits[-1]
    assert waits == [0.0] * FORGIVEN_TIMES + [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert amends.wait("b", now) == 0.0
    now += FORGOTTEN_AFTER
    amends.owe("b", now)
    assert len(amends) == 1
    amends.owe("a", now)
    assert amends.wait("a", now) == 0.0


async def nonsense(socket: ClientConnection) -> int:
    """Ten unreadable messages; the close code."""
    with pytest.raises(ConnectionClosed):
        for _ in range(10):
            await socket.send("nonsense")
        while True:
            await socket.recv()
    return socket.close_code or 0


async def test_a_driver_who_sends_nonsense_again_and_again_has_to_wait(service: Service) -> None:
    """429 with the seconds, as hello 4103; another driver from the same address comes in."""
    wild, other = await service.new_driver(), await service.new_driver()
    for _ in range(FORGIVEN_TIMES + 1):
        async with service.drive(wild["token"]) as socket:
            assert await nonsense(socket) == 4000
    with pytest.raises(InvalidStatus) as refused:
        await service.drive(wild["token"])
    assert refused.value.response.status_code == 429
    assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 2
    async with connect(f"{service.ws_url}/v1/drivers/stream", compression=None) as browser:
        await say(browser, type="hello", token=wild["token"])
        with pytest.raises(ConnectionClosed):
            await browser.recv()
        assert browser.close_code == 4103
    async with service.drive(other["token"]) as socket:
        await hear(socket, "welcome")


async def test_broken_frames_count_too(service: Service) -> None:
    """What the socket itself finds, as a message that is too long, is remembered as well."""
    order = await service.new_order()
    for _ in range(FORGIVEN_TIMES + 1):
        async with service.watch(order) as socket:
            await hear(socket, "snapshot")
            await socket.send("x" * (NOTE_BYTES + 1))
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1009
    with pytest.raises(InvalidStatus) as refused:
        await service.watch(order)
    assert refused.value.response.status_code == 429
    assert (await service.http.get(f"/v1/track/{token_of(order)}")).status_code == 200
    async with service.watch(await service.new_order()) as socket:
        await hear(socket, "snapshot")


async def test_whoever_leaves_or_is_replaced_owes_nothing(service: Service) -> None:
    """However often."""
    driver = await service.new_driver()
    for _ in range(FORGIVEN_TIMES + 3):
        async with service.drive(driver["token"]) as socket:
            await hear(socket, "welcome")
