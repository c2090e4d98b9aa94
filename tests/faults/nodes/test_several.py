"""Three nodes, three NATS servers and one PostgreSQL, each killed, frozen, cut off and back, under load."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.faults.check import all_wrong
from tests.faults.nodes.happenings import CUTS, ON_LOOPBACK, happen
from tests.faults.nodes.network import Network, network_trouble
from tests.faults.nodes.several import COUNT, Several


@pytest.mark.long
@pytest.mark.skipif(bool(network_trouble()), reason=network_trouble() or "can be done here")
async def test_each_node_and_server_fails_in_each_way(data_dir: Path, tmp_path: Path) -> None:
    """Nothing acknowledged is lost or doubled, all converge, and nobody sees what they must not."""
    faults = [(name, number) for name in (*ON_LOOPBACK, *CUTS) for number in range(COUNT)]
    Random(2612).shuffle(faults)
    async with (
        Network.open() as network,
        Several.running(tmp_path, data_dir, seed=2612, drivers=8, rate=4, network=network) as world,
    ):
        for name, number in faults:
            await happen(world, name, number)
            await asyncio.sleep(world.random.random() * 2)  # simulates irregular faults
        await world.affairs.end()
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.affairs.handed > len(faults)
    assert world.affairs.revoked > len(faults)
    assert world.acknowledged > 10_000
