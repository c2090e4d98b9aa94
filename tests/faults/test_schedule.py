"""The short schedule: every fault once, and afterwards nothing is lost, doubled or left behind."""

from pathlib import Path
from random import Random

from tests.faults.check import all_wrong, run
from tests.faults.cluster import Cluster
from tests.faults.happenings import CATALOGUE
from tests.faults.world import World

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
