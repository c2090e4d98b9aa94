"""Faults that only time shows: each goes on for half a minute or more, on a service of its own."""

import asyncio
import os
import re
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.attackers import flood, pings, stalled_readers
from tests.faults.attacks import attacked_node
from tests.faults.check import all_wrong
from tests.faults.cluster import Cluster
from tests.faults.happenings import storm
from tests.faults.watching import Watching, new_jobs
from tests.faults.world import World
from tests.waiting import until

pytestmark = pytest.mark.long

MEMORY = 10.0  # MB
MORE = 64_000_000  # bytes: 40 MB of them are the service's reserve
GROUP = 256_000_000  # bytes
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


async def test_a_thousand_resets_a_second_for_half_a_minute(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Half of them in the middle of a handshake: descriptors, threads and memory are back where they were."""
    async with World.open(tmp_path, data_dir, cluster, seed=13, drivers=2) as world:
        await storm(world, per_second=1_000, seconds=3.0)
        before = world.node.held()
        await storm(world, per_second=1_000, seconds=30.0)
        await until(lambda: world.node.held().files <= before.files + 4, 40)
        held = world.node.held()
        assert held.threads <= before.threads + 2
        assert held.rss_mb < before.rss_mb + MEMORY
        wrong = await all_wrong(world)
    assert wrong == []


async def test_ten_thousand_frames_a_second_for_a_minute(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Back-pressure, then 4103, a few times in all; memory stays, and others are served."""
    counts = await _flooded(pings, cluster, data_dir, tmp_path)
    assert 0 < counts["4103"] < 10


async def test_ten_thousand_messages_a_second_for_a_minute(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Whoever sends on and on is taken one by one, and after 5,000 of these sent away."""
    counts = await _flooded(flood, cluster, data_dir, tmp_path)
    assert counts["4103"] > 0


async def _flooded(
    attack: Callable[[int, float, list[str], Counter[str]], Awaitable[None]],
    cluster: Cluster,
    data_dir: Path,
    tmp_path: Path,
) -> Counter[str]:
    """What became of the attackers; the service's memory stays, and others are served."""
    async with attacked_node(cluster, tmp_path, data_dir) as node:
        others = Watching(node, await new_jobs(node, 4))
        token = (await new_jobs(node, 1))[0].token
        counts: Counter[str] = Counter()
        async with others.running():
            await asyncio.sleep(2.0)  # simulates the time before the attack, to compare with
            before = node.rss_mb()
            await attack(node.port, 60.0, [token], counts)
        assert node.rss_mb() < before + MEMORY
        assert len(others.took) > 200
    return counts


@contextmanager
def control_group() -> Iterator[Callable[[bool], None]]:
    """A control group of so much memory; what it gives puts this process, and so its children, in or out."""
    group = MEMORY_GROUPS / f"tracker-test-{os.getpid()}"

    def enter(inside: bool) -> None:
        ((group if inside else MEMORY_GROUPS) / "cgroup.procs").write_text(f"{os.getpid()}")

    with ExitStack() as stack:
        try:
            group.mkdir()
            stack.callback(group.rmdir)
            (group / "memory.limit_in_bytes").write_text(f"{GROUP}")
        except OSError:
            pytest.skip("This machine lets nobody make memory control groups of version 1.")
        stack.callback(enter, False)
        yield enter


async def test_in_a_control_group_of_256_mb_clients_are_refused_and_nobody_is_killed(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """As a container of that size: of 3,000 customers some hear 503; whoever leaves makes room again."""
    with control_group() as enter:
        enter(True)
        async with World.open(tmp_path, data_dir, cluster, seed=15, drivers=2) as world:
            enter(False)
            pid = world.node.pid
            links = [job.link for job in await new_jobs(world.node, 60)]
            await _some_are_refused_until_others_leave(world, links, addresses=4)
            assert world.node.pid == pid
            assert f"tracker-test-{os.getpid()}" in Path(f"/proc/{pid}/cgroup").read_text()
            wrong = await all_wrong(world)
        # It did grow, to the limit; what thousands of clients have left is kept for the next ones.
        assert [each for each in wrong if not each.startswith("memory grew")] == []


async def test_with_little_memory_left_clients_are_refused_and_nobody_suffers(
    cluster: Cluster, data_dir: Path, tmp_path: Path
) -> None:
    """Of 1,000 customers some hear 503; those who were there go on; those who leave make room for others."""
    async with World.open(tmp_path, data_dir, cluster, seed=14, drivers=2) as world:
        links = [job.link for job in await new_jobs(world.node, 20)]
        status = Path(f"/proc/{world.node.pid}/status").read_text()
        data = int(re.findall(r"VmData:\s+(\d+)", status)[0]) * 1024
        resource.prlimit(world.node.pid, resource.RLIMIT_DATA, (data + MORE, data + MORE))
        await _some_are_refused_until_others_leave(world, links)
        wrong = await all_wrong(world)
    assert wrong == []


async def _some_are_refused_until_others_leave(world: World, links: list[str], addresses: int = 1) -> None:
    """Customers who read nothing come to all of these links, leave, and some come back."""
    first: Counter[str] = Counter()
    await stalled_readers(world.node.port, 2.0, links, first, addresses)
    assert first["101"] > 50
    assert first["503"] > 50
    await until(lambda: world.node.held().sockets < 20, 40)
    again: Counter[str] = Counter()
    await stalled_readers(world.node.port, 1.0, links[:1], again)
    assert again == {"101": 50, "readers": 50}
