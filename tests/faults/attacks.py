"""`python -m tests.faults.attacks`: memory, and other customers' waiting, while the service is attacked.

Everything in one run, in turns: quiet; a control, in which the same attackers attack a bare sink beside the
service; and attacked. What the control costs others is the machine's: everybody here shares its cores.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import Final

import click
import msgspec

from tests.faults.attackers import KINDS, READERS_A_LINK
from tests.faults.cluster import Cluster
from tests.faults.node import ROOT, Node
from tests.faults.watching import Watching, new_jobs

SAMPLE_EVERY: Final = 0.05  # seconds
STALLED_LINKS: Final = 10
CALM: Final = 1.5  # seconds after attackers have left, and until everybody has gone


class Waited(msgspec.Struct, frozen=True):
    """What other customers waited for the fixes of their drivers, in milliseconds."""

    fixes: int
    median_ms: float
    p99_ms: float

    @classmethod
    def of(cls, took: list[float]) -> "Waited":
        p99 = quantiles(took, n=100)[-1]
        return cls(len(took), round(median(took), 2), round(p99, 1))


class Suffered(msgspec.Struct, frozen=True):
    """What one attack did to the service and to others."""

    kind: str
    connecting_mb: float  # what the attackers' open sockets cost, where they are the attack
    memory_mb: float  # the most that the service grew by in one attack, once the attackers were there
    kept_mb: float  # by which it had grown after all rounds, quiet ones too
    quiet: Waited
    control: Waited | None  # while the sink was attacked; None where there was none
    attacked: Waited
    attackers: dict[str, int]  # what became of them
    sunk: dict[str, int]  # and of those who attacked the sink

    def slower(self, than: Waited) -> float:
        return self.attacked.p99_ms / than.p99_ms - 1


async def suffer(
    node: Node, kind: str, seconds: float, others: Watching, *, rounds: int = 1, sink: int | None = None
) -> Suffered:
    """In turns, each for so many seconds; all of one kind together are compared with all of another."""
    victims = await new_jobs(node, STALLED_LINKS if kind == "stalled_readers" else 1)
    tokens = [job.link if kind == "stalled_readers" else job.token for job in victims]
    quiet: list[float] = []
    control: list[float] = []
    attacked: list[float] = []
    told, sunk = Counter[str](), Counter[str]()
    connecting = most = 0.0
    at_first = node.rss_mb()
    for _ in range(rounds):
        others.seen()
        await asyncio.sleep(seconds)
        quiet += others.seen()
        if sink is not None:
            await _attack(node, [kind, str(sink), str(seconds), *tokens], others, sunk)
            control += others.seen()
            await asyncio.sleep(CALM)
        grown = await _attack(node, [kind, str(node.port), str(seconds), *tokens], others, told)
        attacked += others.seen()
        connecting, most = max(connecting, grown[0]), max(most, grown[1])
        await asyncio.sleep(CALM)
    return Suffered(
        kind=kind,
        connecting_mb=round(connecting, 1),
        memory_mb=round(most, 1),
        kept_mb=round(node.rss_mb() - at_first, 1),
        quiet=Waited.of(quiet),
        control=Waited.of(control) if control else None,
        attacked=Waited.of(attacked),
        attackers=dict(told),
        sunk=dict(sunk),
    )


async def _attack(node: Node, attack: list[str], others: Watching, told: Counter[str]) -> tuple[float, float]:
    """Megabytes: by which the service grew until the attackers were there, and from then on at the most."""
    memory = node.rss_mb()
    attackers = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attackers", *attack),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert attackers.stdout is not None
    await attackers.stdout.readline()  # they are there: from now on it counts
    connected = most = node.rss_mb()
    others.seen()
    ended = asyncio.create_task(attackers.communicate())
    latest = monotonic() + float(attack[2]) - SAMPLE_EVERY
    seen: list[float] = []
    while not ended.done():
        await asyncio.sleep(SAMPLE_EVERY)
        most = max(most, node.rss_mb())
        if monotonic() < latest:
            seen += others.seen()  # not of the moment in which hundreds of attackers leave at once
    others.took[:] = seen
    told.update(msgspec.json.decode((await ended)[0], type=dict[str, int]))
    return connected - memory, most - connected


@asynccontextmanager
async def attacked_node(cluster: Cluster, folder: Path, data_dir: Path) -> AsyncIterator[Node]:
    node = Node(folder, data_dir, await cluster.new_database())
    await node.start()
    try:
        yield node
    finally:
        await node.end()


@asynccontextmanager
async def running_sink() -> AsyncIterator[int]:
    """Its port."""
    sink = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.sink"), stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert sink.stdout is not None
        yield int(await sink.stdout.readline())
    finally:
        sink.kill()
        await sink.wait()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=10.0, show_default=True, help="Of each attack, and of each quiet stretch.")
@click.option("--rounds", default=3, show_default=True, help="Quiet, control and attacked in turns.")
@click.option("--customers", default=60, show_default=True, help="Others who watch meanwhile.")
@click.option("--only", type=click.Choice(sorted(KINDS)), multiple=True)
def main(*, seconds: float, rounds: int, customers: int, only: tuple[str, ...]) -> None:
    """Attack a service of our own, and print what it cost."""
    asyncio.run(_all(seconds, rounds, customers, only or tuple(KINDS)))


async def _all(seconds: float, rounds: int, customers: int, kinds: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(prefix="attacks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "data").mkdir()
        async with (
            Cluster.open(folder / "cluster") as cluster,
            attacked_node(cluster, folder, folder / "data") as node,
            running_sink() as sink,
        ):
            others = Watching(node, await new_jobs(node, customers))
            async with others.running():
                await asyncio.sleep(5.0)  # everybody has arrived, routes are there
                for kind in kinds:
                    _tell(await suffer(node, kind, seconds, others, rounds=rounds, sink=sink))


def _tell(suffered: Suffered) -> None:
    click.echo(msgspec.json.encode(suffered).decode())
    control = suffered.control or suffered.quiet
    click.echo(
        f"  {suffered.kind}: p99 {suffered.slower(suffered.quiet):+.0%} against quiet, "
        f"{suffered.slower(control):+.0%} against the control"
    )


if __name__ == "__main__":
    assert READERS_A_LINK * STALLED_LINKS == 500
    main()
