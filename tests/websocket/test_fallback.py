"""Sockets on Quart's own API, as with other servers: what is promised of ours holds for them too.

The tests are those of the endpoints, run against another `service`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from tests import test_end_to_end
from tests.api.driver import test_stream
from tests.api.tracking import test_transports
from tests.service import Service, hear, running_service

PROGRAM = "tests.fallback_node"

type Rule = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A node that takes no connection over."""
    async with running_service(data_dir, own_database, program=PROGRAM) as running:
        yield running


def rules_of(module: ModuleType) -> dict[str, Rule]:
    return {name: rule for name, rule in vars(module).items() if name.startswith("test_")}


def rules_of_every_way(module: ModuleType) -> dict[str, Rule]:
    """Those that hold for each way of the live view, for its sockets."""
    marked = rules_of(module).items()
    return {name: by_sockets(rule) for name, rule in marked if test_transports.every_way.mark in marks(rule)}


def marks(rule: Rule) -> list[pytest.Mark]:
    found: list[pytest.Mark] = getattr(rule, "pytestmark", [])
    return found


def by_sockets(rule: Rule) -> Rule:
    @wraps(rule)
    async def again(**given: object) -> None:
        await rule(**given)

    others = [mark for mark in marks(rule) if mark != test_transports.every_way.mark]
    again.pytestmark = [*others, pytest.mark.parametrize("way", ["ws", "msgpack"]).mark]  # type: ignore[attr-defined]
    return again


globals().update(rules_of(test_stream))
globals().update(rules_of(test_end_to_end))
globals().update(rules_of_every_way(test_transports))


async def test_a_restart_sends_everybody_away(data_dir: Path, database_url: str) -> None:
    """Drivers and customers get 1012, and the node ends."""
    async with running_service(data_dir, database_url, program=PROGRAM) as node:
        driver = await node.new_driver()
        order = await node.new_order(driver["id"])
        async with node.drive(driver["token"]) as courier, node.watch(order) as customer:
            await hear(courier, "welcome")
            await hear(customer, "snapshot")
            assert await node.stop() == 0
            for socket in (courier, customer):
                with pytest.raises(ConnectionClosed):
                    while True:
                        await socket.recv()
                assert socket.close_code == 1012
