"""Who is sent away for what they sent, again and again, has to wait; nobody else has."""

import asyncio
from time import monotonic

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import hasty_node
from tests.faults.attackers import Ends, frame_head
from tests.faults.attackers import connect as bare
from tests.service import Service, hear, say, token_of, until_metric
from tracker.api.client_backoff import MAX_DELAY
from tracker.node import VIOLATIONS_AT_ONCE, VIOLATIONS_PER_S
from tracker.rate_limits import RateLimit

AT_A_TIME = 10
TEXT, LAST, RESERVED = 0x1, 0x80, 0x70


async def broken(service: Service, path: str, token: str = "", *, welcomed: bool = False) -> bool:
    """Whether it was let in; then it sends a frame with bits that mean nothing, and hears 1002.

    A driver's connection may be replaced by the next one before that. `welcomed`: its session has begun
    before that.
    """
    port = int(service.url.rsplit(":", 1)[1])
    ends: Ends
    ends, head = await bare(port, path, token)
    is_accepted = b" 101 " in head
    if is_accepted:
        if welcomed:
            await ends[0].readexactly(1)
        ends[1].write(frame_head(LAST | RESERVED | TEXT, 0))
        async with asyncio.timeout(5):
            said = await ends[0].read(-1)
        assert any(code.to_bytes(2) in said for code in (1002, 4009))
    ends[1].close()
    return is_accepted


async def send_nonsense(service: Service, path: str, token: str = "") -> None:
    """So often side by side that a wait at the door is not enough."""
    for _ in range(5):
        if not all(await asyncio.gather(*(broken(service, path, token) for _ in range(AT_A_TIME)))):
            return
    pytest.fail("every handshake was accepted")
    raise AssertionError("nobody was refused")


def test_whoever_took_too_much_waits_until_it_is_earned() -> None:
    """Asking costs nothing, and others are not concerned."""
    allowances = RateLimit(3, 1.0)
    assert [allowances.take("a", 1.0, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 2.0]
    assert [allowances.wait("a", now) for now in (0.0, 0.5, 2.0, 99.0)] == [2.0, 1.5, 0.0, 0.0]
    assert allowances.wait("b", 0.0) == 0.0


async def test_a_customer_who_sends_nonsense_again_and_again_has_to_wait(hasty_service: Service) -> None:
    """429, not at once; the link is still there, by other ways, and other links from the same address are."""
    order = await hasty_service.new_order()
    await send_nonsense(hasty_service, f"/v1/track/{token_of(order)}/stream")
    asked = monotonic()
    with pytest.raises(InvalidStatus) as refused:
        await hasty_service.watch(order)
    assert refused.value.response.status_code == 429
    assert monotonic() - asked > 0.9 * hasty_node.MAX_DELAY
    assert (await hasty_service.http.get(f"/v1/track/{token_of(order)}")).status_code == 200
    async with hasty_service.watch(await hasty_service.new_order()) as socket:
        await hear(socket, "snapshot")


async def test_a_driver_who_sends_nonsense_again_and_again_has_to_wait(hasty_service: Service) -> None:
    """429 with the seconds, as hello 4103; another driver from the same address comes in."""
    wild, other = await hasty_service.new_driver(), await hasty_service.new_driver()
    await send_nonsense(hasty_service, "/v1/drivers/stream", wild["token"])
    async with connect(f"{hasty_service.ws_url}/v1/drivers/stream", compression=None) as browser:
        await say(browser, type="hello", token=wild["token"])
        with pytest.raises(InvalidStatus) as refused:
            await hasty_service.drive(wild["token"])
        with pytest.raises(ConnectionClosed):
            await browser.recv()
        assert browser.close_code == 4103
    assert refused.value.response.status_code == 429
    assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 2 * AT_A_TIME / VIOLATIONS_PER_S
    async with hasty_service.drive(other["token"]) as socket:
        await hear(socket, "welcome")


async def test_whoever_is_sent_away_one_time_after_the_other_waits_and_comes_in(service: Service) -> None:
    """As somebody who is still writing a client: the first few times at once, then nobody is refused."""
    driver = await service.new_driver()
    waited = []
    for _ in range(VIOLATIONS_AT_ONCE + 2):
        begun = monotonic()
        assert await broken(service, "/v1/drivers/stream", driver["token"], welcomed=True)
        waited.append(monotonic() - begun > MAX_DELAY / 2)
        await until_metric(service, "tracker_drivers_online", 0)  # it is counted
    assert waited == [False] * (VIOLATIONS_AT_ONCE + 1) + [True]


async def test_whoever_leaves_or_is_replaced_owes_nothing(service: Service) -> None:
    """However often."""
    driver = await service.new_driver()
    for _ in range(VIOLATIONS_AT_ONCE + AT_A_TIME):
        async with service.drive(driver["token"]) as socket:
            await hear(socket, "welcome")
