"""`python -m tests.faults.attacks`: memory, and other customers' waiting, while the service is attacked.

Everything in one run, in many short rounds, each with every state in an order of its own: quiet (twice); for
each attack a control, in which the same attackers attack a bare sink beside the service; and attacked. What
the control costs others is the machine's: everybody here shares its cores.
"""

import asyncio
import gc
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from time import time
from typing import Final

import click
import msgspec

from tests.faults.attackers import KINDS, READERS_A_LINK
from tests.faults.cluster import Cluster
from tests.faults.node import Node
from tests.faults.stalls import Stall
from tests.faults.verdict import CONTROL, QUIET, Measured, Stretch, stolen, verdict
from tests.faults.watching import Watching, new_jobs
from tests.fork_server import ROOT

SAMPLE_EVERY: Final = 0.05  # seconds
STALLED_LINKS: Final = 10
CALM: Final = 1.2  # seconds after attackers have left, and until everybody has gone
QUIETS: Final = 2  # in one round


class Attackers:
    """Their process. It attacks where it is told to, one attack after the other."""

    def __init__(self, process: asyncio.subprocess.Process, node: Node) -> None:
        self._process, self._node = process, node
        self._tokens: dict[str, list[str]] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls, node: Node) -> AsyncIterator["Attackers"]:
        async with _child("attackers") as process:
            yield cls(process, node)

    async def attack(self, kind: str, seconds: float, port: int | None = None) -> Stretch:
        """The service, or whoever has this port."""
        node, tokens = self._node, await self._tokens_for(kind)
        assert self._process.stdin is not None
        before = node.rss_mb()
        self._process.stdin.write(
            " ".join([kind, str(port or node.port), str(seconds), *tokens, "\n"]).encode()
        )
        await self._line()  # they are there: from now on it counts
        connected = most = node.rss_mb()
        began, taken, ended = time(), stolen(), asyncio.create_task(self._line())
        while not ended.done():
            await asyncio.wait([ended], timeout=SAMPLE_EVERY)
            most = max(most, node.rss_mb())
        attackers = msgspec.json.decode(await ended, type=dict[str, int])
        return Stretch(
            began=began,
            ended=began + seconds,  # and not the moment in which hundreds of attackers leave at once
            stolen=stolen() - taken,
            connecting_mb=connected - before,
            memory_mb=most - connected,
            attackers=attackers,
        )

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def _tokens_for(self, kind: str) -> list[str]:
        if kind not in self._tokens:
            is_read = kind == "stalled_readers"
            jobs = await new_jobs(self._node, STALLED_LINKS if is_read else 1)
            self._tokens[kind] = [job.link if is_read else job.token for job in jobs]
        return self._tokens[kind]


@asynccontextmanager
async def _child(module: str, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.faults.{module}", *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 26,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def attacked_node(cluster: Cluster, folder: Path, data_dir: Path) -> AsyncIterator[Node]:
    node = Node(folder, data_dir, await cluster.new_database())
    await node.start()
    try:
        yield node
    finally:
        await node.end()


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    """Its port."""
    async with _child("sink") as sink:
        assert sink.stdout is not None
        yield int(await sink.stdout.readline())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=2.5, show_default=True, help="Of each state in each round.")
@click.option("--rounds", default=10, show_default=True)
@click.option("--customers", default=200, show_default=True, help="Others who watch meanwhile.")
@click.option("--only", type=click.Choice(sorted(KINDS)), multiple=True)
@click.option("--seed", default=1, show_default=True, help="Of the order of states.")
@click.option("--keep", type=click.Path(path_type=Path), help="A file for all that was measured, as JSON.")
def main(*, rounds: int, customers: int, only: tuple[str, ...], keep: Path | None, **how: float) -> None:
    """Attack a service of our own, and print what it cost."""
    assert READERS_A_LINK * STALLED_LINKS == 500
    gc.disable()  # whoever measures does not stop for it
    random = Random(how["seed"])
    measured = asyncio.run(
        _measured(how["seconds"], customers, _orders(rounds, only or tuple(KINDS), random))
    )
    if keep is not None:
        keep.write_bytes(msgspec.json.encode(measured))
    click.echo(verdict(measured))


def _orders(rounds: int, kinds: tuple[str, ...], random: Random) -> list[list[str]]:
    """The states of each round."""
    states = [QUIET] * QUIETS + [name for kind in kinds for name in (kind, kind + CONTROL)]
    return [random.sample(states, len(states)) for _ in range(rounds)]


async def _measured(seconds: float, customers: int, orders: list[list[str]]) -> Measured:
    with tempfile.TemporaryDirectory(prefix="attacks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "data").mkdir()
        async with (
            Cluster.open(folder / "cluster") as cluster,
            attacked_node(cluster, folder, folder / "data") as node,
            _sink() as sink,
            Attackers.running(node) as attackers,
            _child("stalls") as stalls,
        ):
            others = Watching(node, await new_jobs(node, customers))
            async with others.running():
                await asyncio.sleep(5.0)  # simulates calm, in which everybody arrives and routes are computed
                stretches = []
                for number, states in enumerate(orders):
                    for state in states:
                        stretch = await _stretch(state, seconds, attackers, sink)
                        stretches.append((state, number, stretch))
                        await asyncio.sleep(CALM)  # simulates the calm between attacks
                unseen = len(others.unseen(time() - CALM))
            stood = msgspec.json.decode((await stalls.communicate())[0], type=list[Stall])
    return Measured(stretches, sorted(others.seen(), key=lambda one: one.sent), unseen, stood)


async def _stretch(state: str, seconds: float, attackers: Attackers, sink: int) -> Stretch:
    if state == QUIET:
        return await quiet(seconds)
    kind = state.removesuffix(CONTROL)
    return await attackers.attack(kind, seconds, None if kind == state else sink)


async def quiet(seconds: float) -> Stretch:
    began, taken = time(), stolen()
    await asyncio.sleep(seconds)  # simulates calm
    return Stretch(began=began, ended=began + seconds, stolen=stolen() - taken)


if __name__ == "__main__":
    main()
