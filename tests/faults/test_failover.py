"""The primary dies and a synchronous standby takes its place, while drivers stream and customers watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.check import all_wrong
from tests.faults.cluster import Cluster
from tests.faults.standby import Standby, ask, at, execute, make_synchronous, of_both
from tests.faults.world import World
from tests.waiting import until

pytestmark = pytest.mark.long

LOGGED = "former_primary_refused"
COUNT = "SELECT count(*) FROM fixes"
OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
UNCONFIRMED = 5.0  # seconds; a statement may take three, and is then given up


class Pair:
    """Two servers, the world that uses them, and which of them is the primary."""

    def __init__(self, first: Cluster, second: Standby, world: World) -> None:
        self.first, self.second, self.world = first, second, world

    async def more_is_stored(self, fixes: int = 60) -> None:
        wanted = self.world.acknowledged + fixes
        await until(lambda: self.world.acknowledged >= wanted, 60)

    async def fail_over(self) -> None:
        """-9 to the primary. Once drivers were told, the standby is promoted, as an outside tool does it."""
        began = monotonic()
        self.first.kill()
        await until(lambda: all(device.slows for device in self.world.devices), 30)
        await self.second.promote()
        self.world.away.append((began, monotonic()))
        self.world.database_url = at(self.second, self.world.database_url)
        await self.world.stores_again(monotonic())


@asynccontextmanager
async def pair(folder: Path, data_dir: Path, seed: int) -> AsyncIterator[Pair]:
    """Drivers who stream to a node, whose commits wait for the standby."""
    async with (
        Cluster.open(folder / "first") as first,
        Standby.of(first, folder / "second") as second,
    ):
        await make_synchronous(first)
        async with World.open(
            folder / "world",
            data_dir,
            first,
            seed=seed,
            drivers=4,
            through=lambda url: of_both(first, second, url),
        ) as world:
            yield Pair(first, second, world)


async def test_what_was_acknowledged_outlives_the_primary(data_dir: Path, tmp_path: Path) -> None:
    """The node finds the new primary by itself, and clients go on. The old one comes back and gets nothing.

    It is the first in the URL and takes writes, and neither the running node nor one that starts uses it.
    """
    async with pair(tmp_path, data_dir, seed=31) as both:
        world = both.world
        await both.more_is_stored()
        await both.fail_over()
        await both.more_is_stored()
        await both.first.start()
        old = at(both.first, world.database_url)
        await execute(both.first.url, "ALTER SYSTEM RESET synchronous_standby_names")
        await execute(both.first.url, "SELECT pg_reload_conf()")
        before = await ask(old, COUNT)
        await execute(world.database_url, f"SELECT pg_terminate_backend(pid) {OTHERS}")
        await both.more_is_stored()
        await until(lambda: LOGGED in world.node.logs[-1].read_text())
        world.kills += 1
        await world.node.kill()
        await world.restart()
        await both.more_is_stored()
        assert await ask(old, COUNT) == before
        wrong = await all_wrong(world)
    assert [each for each in wrong if LOGGED not in each] == []


async def test_nothing_is_acknowledged_that_only_the_primary_has(data_dir: Path, tmp_path: Path) -> None:
    """The standby stands still. Commits are given up, and can be read; sent again, they are not duplicates.

    PostgreSQL shows a commit whose wait was cancelled. If that counted as stored, the primary's death would
    lose it.
    """
    async with pair(tmp_path, data_dir, seed=32) as both:
        world = both.world
        await both.more_is_stored()
        both.second.freeze()
        began = monotonic()
        try:
            inside = at(both.first, world.database_url)
            stored = await ask(inside, COUNT)

            async def shows_more() -> bool:
                return bool(await ask(inside, COUNT) != stored)

            await until(shows_more, 30)
            for network in world.networks:
                network.cut()
            await asyncio.sleep(UNCONFIRMED)  # simulates drivers who reconnect and send again, meanwhile
            both.first.kill()
            world.away.append((began, monotonic()))
        finally:
            both.second.thaw()
        await both.second.promote()
        world.database_url = at(both.second, world.database_url)
        await world.stores_again(monotonic())
        await both.more_is_stored()
        wrong = await all_wrong(world)
    assert wrong == []
