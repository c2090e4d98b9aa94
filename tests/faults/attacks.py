"""`python -m tests.faults.attacks`: memory, and other customers' waiting, while the service is attacked.

Everything in one run, quiet and attacked in turns.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from time import monotonic
from typing import Final

import click
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.faults.attackers import KINDS, READERS_A_LINK
from tests.faults.cluster import Cluster
from tests.faults.node import ROOT, Node

SAMPLE_EVERY: Final = 0.05  # seconds
FIX_EVERY: Final = 0.6  # seconds: a customer is told at most twice a second
STALLED_LINKS: Final = 10
PLACES: Final = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}


# Of a change of anything else a customer would be told first, and of the fix half a second later.
ONLY_POSITIONS: Final = {"position": "always", "eta": "never", "route": "never", "stops_before": "never"}


class Suffered(msgspec.Struct, frozen=True):
    """What one attack did to the service and to others."""

    kind: str
    connecting_mb: float  # what the attackers' open sockets cost, where they are the attack
    memory_mb: float  # the most that the service grew by in one attack, once the attackers were there
    kept_mb: float  # by which it had grown after all rounds, quiet ones too
    p99_ms: float  # of other customers while it was attacked
    p99_quiet_ms: float
    attackers: dict[str, int]  # what became of them

    @property
    def slower(self) -> float:
        return self.p99_ms / self.p99_quiet_ms - 1


class Job(msgspec.Struct, frozen=True):
    """A driver with an order, and its customer's token."""

    token: str
    link: str


class Watching:
    """Other customers: each with a driver whose fixes they wait for."""

    def __init__(self, node: Node, jobs: list[Job]) -> None:
        self._node, self._jobs = node, jobs
        self.took: list[float] = []  # milliseconds
        self._sent: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._one(number, job)) for number, job in enumerate(self._jobs)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, number: int, job: Job) -> None:
        base = f"ws://127.0.0.1:{self._node.port}/v1"
        headers = {"Authorization": f"Bearer {job.token}"}
        async with (
            connect(
                f"{base}/drivers/stream", additional_headers=headers, compression=None, proxy=None
            ) as driver,
            connect(f"{base}/track/{job.link}/stream", compression=None, proxy=None) as customer,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._see(customer))
            tasks.create_task(_discard(driver))
            await asyncio.sleep(FIX_EVERY * number / len(self._jobs))
            step = 0
            while True:
                step += 1
                at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                fix = {"recorded_at": at, "lat": 60.1713 - step * 2e-5, "lon": 24.9440, "speed": 4.0}
                message = {"type": "fixes", "id": step, "fixes": [fix]}
                self._sent[f"{job.link} {at}"] = monotonic()
                await driver.send(msgspec.json.encode(message).decode())
                await asyncio.sleep(FIX_EVERY)

    async def _see(self, customer: ClientConnection) -> None:
        link = customer.request.path.split("/")[3] if customer.request else ""
        async for raw in customer:
            position = msgspec.json.decode(raw).get("position")
            if position and (sent := self._sent.pop(f"{link} {position['recorded_at']}", None)):
                self.took.append((monotonic() - sent) * 1_000)

    def seen(self) -> list[float]:
        """Milliseconds of what was seen since the last call."""
        took, self.took = self.took, []
        return took


async def _discard(driver: ClientConnection) -> None:
    async for _ in driver:
        pass


async def new_jobs(node: Node, count: int) -> list[Job]:
    jobs = []
    async with node.merchant() as http:
        for number in range(count):
            driver = (
                await http.post("/v1/drivers", json={"name": f"Kuski {number}", "vehicle": "car"})
            ).json()
            body = {**PLACES, "driver_id": driver["id"], "visibility": ONLY_POSITIONS}
            order = (await http.post("/v1/orders", json=body)).json()
            jobs.append(Job(driver["token"], order["tracking_url"].rsplit("/", 1)[1]))
    return jobs


async def suffer(node: Node, kind: str, seconds: float, others: Watching, rounds: int = 1) -> Suffered:
    """Quiet and attacked in turns, each for so many seconds; all quiet ones are compared with all others."""
    victims = await new_jobs(node, STALLED_LINKS if kind == "stalled_readers" else 1)
    tokens = [job.link if kind == "stalled_readers" else job.token for job in victims]
    attack = [kind, str(node.port), str(seconds), *tokens]
    quiet: list[float] = []
    attacked: list[float] = []
    told: Counter[str] = Counter()
    connecting = most = 0.0
    at_first = node.held().rss_mb
    for _ in range(rounds):
        others.seen()
        await asyncio.sleep(seconds)
        quiet += others.seen()
        grown = await _attack(node, attack, others, told)
        attacked += others.seen()
        connecting, most = max(connecting, grown[0]), max(most, grown[1])
    return Suffered(
        kind=kind,
        connecting_mb=round(connecting, 1),
        memory_mb=round(most, 1),
        kept_mb=round(node.held().rss_mb - at_first, 1),
        p99_ms=round(p99(attacked), 1),
        p99_quiet_ms=round(p99(quiet), 1),
        attackers=dict(told),
    )


async def _attack(node: Node, attack: list[str], others: Watching, told: Counter[str]) -> tuple[float, float]:
    """Megabytes: by which the service grew until the attackers were there, and from then on at the most."""
    memory = node.held().rss_mb
    attackers = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attackers", *attack),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert attackers.stdout is not None
    await attackers.stdout.readline()  # they are there: from now on it counts
    connected = most = node.held().rss_mb
    others.seen()
    ended = asyncio.create_task(attackers.communicate())
    latest = monotonic() + float(attack[2]) - SAMPLE_EVERY
    seen: list[float] = []
    while not ended.done():
        await asyncio.sleep(SAMPLE_EVERY)
        most = max(most, node.held().rss_mb)
        if monotonic() < latest:
            seen += others.seen()  # not of the moment in which hundreds of attackers leave at once
    others.took[:] = seen
    told.update(msgspec.json.decode((await ended)[0], type=dict[str, int]))
    return connected - memory, most - connected


def p99(took: list[float]) -> float:
    return quantiles(took, n=100)[-1]


@asynccontextmanager
async def attacked_node(cluster: Cluster, folder: Path, data_dir: Path) -> AsyncIterator[Node]:
    node = Node(folder, data_dir, await cluster.new_database())
    await node.start()
    try:
        yield node
    finally:
        await node.end()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=10.0, show_default=True, help="Of each attack, and of each quiet stretch.")
@click.option("--rounds", default=3, show_default=True, help="Quiet and attacked in turns.")
@click.option("--customers", default=20, show_default=True, help="Others who watch meanwhile.")
@click.option("--only", type=click.Choice(sorted(KINDS)), multiple=True)
def main(*, seconds: float, rounds: int, customers: int, only: tuple[str, ...]) -> None:
    """Attack a service of our own, and print what it cost."""
    for suffered in asyncio.run(_all(seconds, rounds, customers, only or tuple(KINDS))):
        click.echo(msgspec.json.encode(suffered).decode() + f" slower by {suffered.slower:.0%}")


async def _all(seconds: float, rounds: int, customers: int, kinds: tuple[str, ...]) -> list[Suffered]:
    with tempfile.TemporaryDirectory(prefix="attacks-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "data").mkdir()
        async with (
            Cluster.open(folder / "cluster") as cluster,
            attacked_node(cluster, folder, folder / "data") as node,
        ):
            others = Watching(node, await new_jobs(node, customers))
            async with others.running():
                await asyncio.sleep(5.0)  # everybody has arrived, routes are there
                return [await suffer(node, kind, seconds, others, rounds) for kind in kinds]


if __name__ == "__main__":
    assert READERS_A_LINK * STALLED_LINKS == 500
    main()
