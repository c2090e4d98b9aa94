"""Faults that need a measure of their own: each alone, on a service and a database of this test's."""

import asyncio
import resource
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from driver_sim.client import connection
from driver_sim.client.client import DriverClient
from tests.faults.attackers import KINDS, connect, stalled_readers
from tests.faults.attacks import STALLED_LINKS, Attackers, attacked_node
from tests.faults.check import all_wrong, run
from tests.faults.cluster import Cluster, tmpfs_trouble
from tests.faults.device import Device
from tests.faults.happenings import storm
from tests.faults.node import Node
from tests.faults.proxy import Proxy, Weather
from tests.faults.watching import Watching, new_jobs
from tests.faults.world import BACK_WITHIN, World
from tests.service import Service
from tests.waiting import becomes_true, until
from tracker.domain.tracks.fix import Fix

pytestmark = pytest.mark.long

LIVE_FOR = 15.0  # seconds
MEMORY = 10.0  # MB that an attack may cost
READER = 0.064  # MB that a customer's open socket may cost
KEPT = 0.006  # MB: a leaked connection costs six times as much
A_DAY = timedelta(days=1)


async def test_fifty_drivers_are_back_after_a_kill(cluster: Cluster, data_dir: Path, tmp_path: Path) -> None:
    """-9 while 50 drivers stream: all of them are back within 10 s, and nothing is lost or doubled."""
    async with World.open(tmp_path, data_dir, cluster, seed=3, drivers=50) as world:
        await run(world, ["service_killed"])
        wrong = await all_wrong(world)
    assert wrong == []
    assert max(world.returns) < BACK_WITHIN


async def test_fifty_drivers_bring_a_day_each(cluster: Cluster, data_dir: Path, tmp_path: Path) -> None:
    """24 hours of each at once: every live view is right within 3 s, and all of it is stored once."""
    async with World.open(tmp_path, data_dir, cluster, seed=4, drivers=50, rate=1) as world:
        world.making.clear()
        for proxy in world.networks:
            proxy.change(Weather(stalled=True))
            proxy.cut()
        for watched in world.watched:
            watched.device.make_backlog(1_440, datetime.now(UTC) - A_DAY, timedelta(seconds=59))
            watched.device.make()
        await world.calm()
        assert await world.everybody_back()
        shown = [watched.customer.until_shows(newest_made(watched.device), 3.0) for watched in world.watched]
        assert all(await asyncio.gather(*shown))
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.acknowledged >= 50 * 1_441


def newest_made(device: Device) -> str:
    """`recorded_at` of its newest fix, as customers are told it."""
    newest = max(fix.recorded_at for fix in device.ledger.made.values())
    return newest.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_after_a_freeze_nothing_old_is_called_live(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """The service stands still for longer than a position is live; what it says next is honest."""
    async with World.open(tmp_path, data_dir, cluster, seed=6, drivers=2) as world:
        customer = world.watched[0].customer
        await until(lambda: customer.state.get("freshness") == "live", 10)
        world.making.clear()
        for watched in world.watched:
            await world.stop(watched.device)
        world.node.freeze()
        await asyncio.sleep(LIVE_FOR + 2)  # simulates the freeze
        world.node.thaw()
        await until(lambda: customer.state["freshness"] == "stale", 3.0)
        assert customer.faults == []
        for watched in world.watched:
            world.begin(watched.device)
        assert await world.everybody_back()
        world.making.set()
        await until(lambda: customer.state["freshness"] == "live", 5.0)
        wrong = await all_wrong(world)
    assert wrong == []


async def test_a_thousand_connects_and_resets_a_second(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """For five seconds, half of them in the middle of a handshake: afterwards everything is as before.

    A first storm makes the allocator's room; a second one needs no more of it.
    """
    async with World.open(tmp_path, data_dir, cluster, seed=9, drivers=2) as world:
        await storm(world, per_second=1_000, seconds=2.0)
        before = world.node.held()
        await storm(world, per_second=1_000, seconds=5.0)
        await until(lambda: world.node.held().files <= before.files + 4, 40)
        assert world.node.held().rss_mb < before.rss_mb + MEMORY
        wrong = await all_wrong(world)
    assert wrong == []


async def test_connections_that_came_and_went_leave_no_memory(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Drivers who connect and vanish without a word, hundreds of times: nothing of a connection is kept."""
    async with attacked_node(cluster, tmp_path, data_dir) as node:
        token = (await new_jobs(node, 1))[0].token
        await _come_and_go(node, token, 200)
        before = node.held().rss_mb
        await _come_and_go(node, token, 400)
        assert node.held().rss_mb - before < 400 * KEPT


async def _come_and_go(node: Node, token: str, times: int) -> None:
    for _ in range(times):
        (reader, writer), _ = await connect(node.port, "/v1/drivers/stream", token)
        await reader.read(1)
        writer.transport.abort()
    await until(lambda: node.held().sockets == 0, 10)


async def test_with_256_descriptors_some_are_refused_and_nobody_suffers(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Of 400 customers some hear 503 or are cut; those who were there go on, and then there is room."""
    async with World.open(tmp_path, data_dir, cluster, seed=12, drivers=2) as world:
        links = [job.link for job in await new_jobs(world.node, 8)]
        resource.prlimit(world.node.pid, resource.RLIMIT_NOFILE, (256, 256))
        counts: Counter[str] = Counter()
        crowd = asyncio.create_task(stalled_readers(world.node.port, 3.0, links, counts))
        await until(crowd.done, 60)
        assert counts["101"] + counts["503"] + counts["cut"] == 400
        assert 100 < counts["101"] < 256
        await until(lambda: world.node.held().files < 100, 40)
        assert await world.node.is_ready()
        wrong = await all_wrong(world)
    assert wrong == []


async def test_the_simulators_client_notices_a_dead_peer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is heard of a connection that leads nowhere: it is given up, and all is sent again."""
    monkeypatch.setattr(connection, "PING_AFTER", 0.5)
    monkeypatch.setattr(connection, "ABORT_AFTER", 2.0)
    driver = await service.new_driver()
    async with Proxy.open(Random(1)) as proxy, asyncio.TaskGroup() as tasks:
        proxy.upstream = int(service.url.rsplit(":", 1)[1])
        client = DriverClient(f"http://127.0.0.1:{proxy.port}", driver["token"], random=Random(1))
        tasks.create_task(client.run())
        await until(lambda: client.connected, 10)
        proxy.half_open()
        client.add(Fix(datetime.now(UTC), 60.17, 24.94))
        await until(lambda: client.connections == 2, 15)
        assert await client.close()
    assert client.outbox.counts["acked"] == 1


async def test_killed_between_commit_and_acknowledgement(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """What was stored and not acknowledged is sent again, counted as duplicates, and acknowledged."""
    module = "tests.faults.mutants.dies_before_the_answer"
    async with World.open(tmp_path, data_dir, cluster, seed=5, drivers=1, module=module) as world:
        process = world.node.process
        assert process is not None
        await until(lambda: process.returncode is not None, 20)
        assert world.unacknowledged > 0
        await world.node.start("tracker")
        world.connect_networks()
        await until(lambda: world.devices[0].connected, 10)
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.devices[0].duplicates > 0


@pytest.mark.skipif(bool(tmpfs_trouble()), reason=tmpfs_trouble() or "can be done here")
async def test_the_databases_disk_is_full(data_dir: Path, tmp_path: Path) -> None:
    """Nothing is acknowledged while there is no space; when it returns, everything is stored."""
    async with (
        Cluster.open(tmp_path / "cluster", tmpfs_mb=220) as cluster,
        World.open(tmp_path / "node", data_dir, cluster, seed=8, drivers=4, rate=20) as world,
    ):
        await until(lambda: world.acknowledged > 40, 10)
        filler = cluster.fill_disk()
        await until(lambda: any(device.slows for device in world.devices), 60)
        stuck = world.acknowledged
        assert not await becomes_true(lambda: world.acknowledged > stuck + 20, 5)
        filler.unlink()
        await cluster.start()
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.acknowledged > stuck


@pytest.mark.parametrize("kind", KINDS)
async def test_an_attack_costs_no_memory(cluster: Cluster, data_dir: Path, tmp_path: Path, kind: str) -> None:
    """Oversize, flood, bomb, stalled readers: within 10 MB, and others are served meanwhile.

    How much slower is measured by `python -m tests.faults.attacks`, where nothing else runs.
    """
    async with attacked_node(cluster, tmp_path, data_dir) as node, Attackers.running(node) as attackers:
        others = Watching(node, await new_jobs(node, 4))
        async with others.running():
            await asyncio.sleep(2.0)  # simulates the time before the attack, to compare with
            others.seen()
            attacked = await attackers.attack(kind, 4.0)
            seen = others.seen()
    assert attacked.memory_mb < MEMORY
    assert attacked.connecting_mb < READER * STALLED_LINKS * 50
    assert len(seen) > 8
    assert max(one.took_ms for one in seen) < 2_000
    assert not attacked.attackers.get("negotiated")


async def test_a_frozen_database_makes_no_queue_grow(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Devices that go on making fixes while nothing can be stored keep them; the service does not."""
    async with World.open(tmp_path, data_dir, cluster, seed=11, drivers=4, rate=400) as world:
        await until(lambda: world.acknowledged > 2_000, 20)
        before = world.node.held().rss_mb
        await run(world, ["database_frozen"])
        assert world.node.held().rss_mb < before + 4 * MEMORY
        wrong = await all_wrong(world)
    assert wrong == []
