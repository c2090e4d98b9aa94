"""The checker is checked: what it must find is planted, and it finds it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.check import all_wrong, run
from tests.faults.cluster import Cluster
from tests.faults.world import World

pytestmark = pytest.mark.long

AT_ONCE = 3

# Each mutant, what happens to it, and what the checker must say of it.
PEACEFUL = {
    "knows_no_duplicates": (["the_same_many_ways"], "never acknowledged"),
    "stores_twice": (["the_same_many_ways"], "stored twice"),
    "drops_backlog": (["backlog"], "acknowledged and lost"),
    "skips_authorisation": (["strangers"], "a driver changed another driver's order"),
    "keeps_erased_drivers": (["erasure"], "an erased driver went on streaming"),
    "never_says_the_end": ([], "a customer was left with"),
    "forgets_nobody": (["everybody_cut"], "tracker_drivers_online"),
    "moves_back": (["backlog", "clock_steps"], "the marker went back in time"),
}
VIOLENT = {  # the database that all share is frozen for these
    "acknowledges_before_commit": (["killed_while_nothing_can_be_stored"], "acknowledged and lost"),
    "queues_without_bounds": (["database_frozen"], "nobody was told to be slow"),
}
type Verdicts = dict[str, list[str]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def verdicts(
    cluster: Cluster, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Verdicts]:
    """Of every mutant that leaves the database alone, and of none (`tracker`); some at a time."""
    turns = asyncio.Semaphore(AT_ONCE)
    found: Verdicts = {}

    async def judge(name: str, names: Iterable[str]) -> None:
        async with turns:
            module = name if name == "tracker" else f"tests.faults.mutants.{name}"
            found[name] = await _verdict(cluster, data_dir, tmp_path_factory.mktemp(name), module, names)

    everything = sorted({name for names, _ in PEACEFUL.values() for name in names})
    async with asyncio.TaskGroup() as tasks:
        for mutant, (names, _) in PEACEFUL.items():
            tasks.create_task(judge(mutant, names))
        tasks.create_task(judge("tracker", everything))
    yield found


async def _verdict(
    cluster: Cluster, data_dir: Path, folder: Path, module: str, names: Iterable[str]
) -> list[str]:
    async with World.open(folder, data_dir, cluster, seed=7, drivers=3, module=module) as world:
        await run(world, [*names])
        if module == "tracker":
            return await all_wrong(world)
        return await all_wrong(world, flush_within=6.0, leave_within=3.0)


@pytest.mark.parametrize("mutant", PEACEFUL)
async def test_a_planted_mutant_is_caught(verdicts: Verdicts, mutant: str) -> None:
    """A service with this fault does not pass, and the verdict names it."""
    _, words = PEACEFUL[mutant]
    assert any(words in line for line in verdicts[mutant]), verdicts[mutant]


async def test_the_same_service_without_a_mutant_passes(verdicts: Verdicts) -> None:
    """What catches the mutants finds nothing wrong with the service as it is."""
    assert verdicts["tracker"] == []


@pytest.mark.parametrize("mutant", VIOLENT)
async def test_a_mutant_that_trusts_the_database_is_caught(
    cluster: Cluster, data_dir: Path, tmp_path: Path, mutant: str
) -> None:
    """Who acknowledges too early, or lets everything wait for ever, is found out while it is frozen."""
    names, words = VIOLENT[mutant]
    wrong = await _verdict(cluster, data_dir, tmp_path, f"tests.faults.mutants.{mutant}", names)
    assert any(words in line for line in wrong), wrong
