"""The short schedule: every fault once, and afterwards nothing is lost, doubled or left behind."""

from pathlib import Path
from random import Random

import pytest

from tests.faults.check import all_wrong, run
from tests.faults.cluster import Cluster, tmpfs_trouble
from tests.faults.happenings import CATALOGUE
from tests.faults.world import BACK_WITHIN, World, until

HASTE = 0.35


async def test_everything_happens_and_nothing_is_lost(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Kills, freezes, bad networks, odd devices and strangers, one after the other; every promise is kept."""
    names = sorted(CATALOGUE)
    Random(2026).shuffle(names)
    async with World.open(tmp_path, data_dir, cluster, seed=2026, drivers=6) as world:
        world.haste = HASTE
        await run(world, names, pause=0.1)
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.kills >= 4
    assert world.acknowledged > 1_000


async def test_fifty_drivers_are_back_after_a_kill(cluster: Cluster, data_dir: Path, tmp_path: Path) -> None:
    """-9 while 50 drivers stream: all of them are back within 10 s, and nothing is lost or doubled."""
    async with World.open(tmp_path, data_dir, cluster, seed=3, drivers=50) as world:
        await run(world, ["service_killed"])
        wrong = await all_wrong(world)
    assert wrong == []
    assert max(world.returns) < BACK_WITHIN


async def test_killed_between_commit_and_acknowledgement(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """What was stored and not acknowledged is sent again, counted as duplicates, and acknowledged."""
    module = "tests.faults.mutants.dies_before_the_answer"
    async with World.open(tmp_path, data_dir, cluster, seed=5, drivers=1, module=module) as world:
        process = world.node.process
        assert process is not None
        assert await until(lambda: process.returncode is not None, 20)
        unanswered = world.unacknowledged
        assert unanswered > 0
        await world.node.start("tracker")
        world.connect_networks()
        assert await until(lambda: world.devices[0].connected, 10)
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
        assert await until(lambda: world.acknowledged > 40, 10)
        filler = cluster.fill_disk()
        assert await until(lambda: any(device.slows for device in world.devices), 60)
        stuck = world.acknowledged
        assert not await until(lambda: world.acknowledged > stuck + 20, 5)
        filler.unlink()
        await cluster.start()
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.acknowledged > stuck
