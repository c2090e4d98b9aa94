"""`tracker check` of the bus: each fault with its fix, and no secret."""

import pytest

from tests.nats import nats_server
from tracker.commands.check import check_bus
from tracker.errors import ConfigError


async def test_the_bus_is_tried() -> None:
    """A message crosses it; a wrong token and a server that is away are named."""
    async with nats_server("--auth", "the-token") as server:
        at = server.url.removeprefix("nats://")
        [told] = [line async for line in check_bus(f"nats://the-token@{at}")]
        assert told == f"the NATS server at {at} accepts the account and delivers messages"
        assert "refuses the user" in await fault_of(f"nats://wrong-one@{at}")
        await server.kill()
        assert "nothing listens there" in await fault_of(f"nats://the-token@{at}")


async def fault_of(url: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        [_ async for _ in check_bus(url)]
    assert wrong.value.setting == "NATS_URL"
    assert "wrong-one" not in str(wrong.value)
    return wrong.value.why
