"""`python -m tests.faults.soak`: an hour of faults against the real service, and a verdict at the end."""

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic
from typing import Any, Final

import click
import msgspec

import tracker
from tests.faults.check import all_wrong
from tests.faults.cluster import Cluster
from tests.faults.happenings import CATALOGUE
from tests.faults.nodes.happenings import disturb
from tests.faults.nodes.network import Network, network_trouble
from tests.faults.nodes.several import Several
from tests.faults.world import World
from tests.privacy.recording import JUDGE

PAUSE: Final = (4.0, 16.0)  # seconds between two faults
OFTEN: Final = (  # kills come more often than the rest
    *("service_killed", "database_killed", "backend_killed", "killed_while_nothing_can_be_stored"),
    *("service_killed", "backend_killed"),
)


def schedule(seed: int) -> Iterator[str]:
    """The names of what happens, without an end: every fault once before any comes again, kills oftener."""
    random = Random(seed)
    while True:
        names = [*CATALOGUE, *OFTEN]
        random.shuffle(names)
        yield from names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same schedule.")
@click.option("--drivers", default=24, show_default=True)
@click.option("--rate", default=4, show_default=True, help="Fixes a second of each driver.")
@click.option(
    "--nodes",
    type=click.Choice(["1", "3"]),
    default="1",
    show_default=True,
    help="3: nodes and NATS servers in network namespaces, each killed, frozen and cut off; as root.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="A file for the result; it is printed in any case."
)
def main(*, minutes: float, seed: int, drivers: int, rate: int, nodes: str, output: Path | None) -> None:
    """Kill, freeze and disturb a service for so long, then check every promise; 1 where one is broken."""
    if nodes == "3" and (trouble := network_trouble()):
        raise click.ClickException(trouble)
    soak = _soak_several if nodes == "3" else _soak
    result = asyncio.run(soak(minutes, seed, drivers, rate))
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n")
    sys.exit(bool(result["violations"]))


async def _soak(minutes: float, seed: int, drivers: int, rate: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        data_dir = folder / "data"
        data_dir.mkdir()
        async with Cluster.open(folder / "cluster") as cluster:
            opened = World.open(folder / "node", data_dir, cluster, seed=seed, drivers=drivers, rate=rate)
            async with opened as world:
                began, happened = datetime.now(UTC), Counter[str]()
                teller = asyncio.create_task(_tell(world, happened))
                try:
                    await _disturb(world, minutes * 60, schedule(seed), happened)
                    wrong = await all_wrong(world, flush_within=120.0)
                finally:
                    teller.cancel()
                return _result(world, began, happened, wrong) | {"seed": seed, "drivers": drivers}


async def _soak_several(minutes: float, seed: int, drivers: int, rate: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        data_dir = folder / "data"
        data_dir.mkdir()
        folder.chmod(0o755)  # the account of PostgreSQL enters it
        async with (
            Network.open() as network,
            Several.running(
                folder, data_dir, seed=seed, drivers=drivers, rate=rate, network=network
            ) as world,
        ):
            began, happened = datetime.now(UTC), Counter[str]()
            teller = asyncio.create_task(_tell(world, happened))
            try:
                await disturb(world, minutes * 60, happened)
                await world.affairs.end()
                wrong = await all_wrong(world, flush_within=120.0)
            finally:
                teller.cancel()
            took = {name: _spread(values) for name, values in sorted(world.took.items())}
            told = {"assignments": world.affairs.handed, "links_revoked": world.affairs.revoked}
            result = _result(world, began, happened, wrong) | {"seed": seed, "drivers": drivers}
            return result | told | {"seconds_until_up_to_date": took, "messages_judged": JUDGE.judged}


async def _disturb(world: World, seconds: float, names: Iterator[str], happened: Counter[str]) -> None:
    latest = monotonic() + seconds
    while monotonic() < latest:
        await asyncio.sleep(world.random.uniform(*PAUSE))  # simulates irregular faults
        name = next(names)
        happened[name] += 1
        known = len(world.violations)
        try:
            await CATALOGUE[name](world)
        except Exception as error:  # the run goes on: what it witnessed up to now must be checked
            world.violations.append(f"{name} ended with {error!r}")
        world.violations[known:] = [f"{name}: {wrong}" for wrong in world.violations[known:]]


async def _tell(world: World, happened: Counter[str]) -> None:
    """A line each minute, for who waits."""
    minute = 0
    while True:
        await asyncio.sleep(60)  # simulates no fault: a line each minute
        minute += 1
        memory = 0.0
        with suppress(OSError, KeyError, AssertionError):
            memory = world.node.held().rss_mb
        click.echo(
            f"{minute:3} min: {world.acknowledged} acknowledged, {world.unacknowledged} waiting, "
            f"{happened.total()} faults, {world.kills} kills, {memory:.0f} MB, "
            f"{len(world.violations)} violations",
            err=True,
        )


def _result(world: World, began: datetime, happened: Counter[str], wrong: list[str]) -> dict[str, Any]:
    rejected = Counter(reason for device in world.devices for reason in device.ledger.rejected.values())
    return {
        "began": began.isoformat(timespec="seconds"),
        "minutes": round((datetime.now(UTC) - began).total_seconds() / 60, 1),
        "commit": _commit(),
        "acknowledged": world.acknowledged,
        "rejected": dict(rejected),
        "kills": world.kills,
        "faults": dict(sorted(happened.items())),
        "connections": sum(len(device.closes) for device in world.devices),
        "seconds_until_writing_again": _spread(world.recoveries),
        "seconds_until_all_are_back": _spread(world.returns),
        "violations": wrong,
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(median(values), 2), "worst": round(max(values), 2)} if values else {}


def _commit() -> str:
    """Of the code under test."""
    root = Path(tracker.__file__).parent
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
