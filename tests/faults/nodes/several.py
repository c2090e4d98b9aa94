"""Several: three nodes behind balancers, on one PostgreSQL and three NATS servers, and their users.

A device and a customer may land on any node. Half of the customers stay connected to a node that has failed;
all others are cut off by their balancer, as HAProxy does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import Final, Self

import msgspec

from tests.faults.cluster import Cluster
from tests.faults.customer import Customer
from tests.faults.device import Device
from tests.faults.node import Node
from tests.faults.nodes.affairs import Affairs
from tests.faults.nodes.balancer import Balancer, Health
from tests.faults.nodes.network import Network
from tests.faults.proxy import Proxy
from tests.faults.world import World
from tests.nats import NatsServer, nats_cluster
from tests.privacy.recording import JUDGE
from tests.waiting import becomes_true, until

COUNT: Final = 3  # nodes, and NATS servers
NAMES: Final = "abc"
CONVERGES_WITHIN: Final = 5.0  # seconds after the end of a fault
MOVES_ON_WITHIN: Final = 10.0  # seconds after its beginning, for those who can reach a node
CARRIED_WITHIN: Final = 1.0  # seconds until every node knows of a change, by the bus
POLLED_WITHIN: Final = 8.0  # seconds while the bus may lose messages, or a node finds out that it is cut off
QUICK: Final = 2.0  # seconds until all are up to date if nothing is wrong; else all limits grow


class Fault(msgspec.Struct):
    """When something was wrong, in seconds since 1970."""

    name: str
    began: float
    ended: float = float("inf")


class Several(World):
    """`network` is None where all run on the loopback interface, and nothing can be cut off."""

    network: Network | None
    health: Health
    bus: list[NatsServer]
    affairs: Affairs

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.staying: Proxy  # the network of customers whom no balancer cuts off
        self.faults: list[Fault] = []
        self.took: dict[str, list[float]] = {}  # seconds until all had converged, by fault
        self.slowness = 1.0  # of the machine, which others share: all limits are so much longer
        self._epoch = 0

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, data_dir: Path, *, seed: int, drivers: int, rate: int, network: Network | None
    ) -> AsyncIterator[Self]:
        """Everybody connected and streaming."""
        address = "" if network is None else network.address("", "data")
        async with AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(Cluster.open(folder / "cluster", address=address))
            bus = await stack.enter_async_context(_bus(network))
            url = await cluster.new_database()
            nodes = list(_nodes(folder, data_dir, cluster.through_network(url), bus, network))
            world = cls(cluster, url, nodes, seed)
            world.network, world.bus, world.health, world._rate = network, bus, Health(nodes), rate
            for node in nodes:
                stack.push_async_callback(node.end)
            stack.push_async_callback(world._stop_everybody)
            await world._connect(stack)
            await nodes[0].start()  # draws the map
            await asyncio.gather(*(node.start() for node in nodes[1:]))
            world._begin(world.health, world.health.watch_forever())
            await until(lambda: len(world.health.ready) == COUNT)
            await world.populate(drivers)
            JUDGE.story.room = world.room
            world.affairs = Affairs(world)
            await world.affairs.begin()
            world._begin(world.affairs, world.affairs.go_on())
            yield world

    async def _connect(self, stack: AsyncExitStack) -> None:
        """Two networks of drivers and two of customers."""
        for _ in range(4):
            balancer = Balancer(Random(self.random.random()), self.health)
            await stack.enter_async_context(balancer.listening())
            self.networks.append(balancer)
        self.customers_network, self.staying = self.networks.pop(), self.networks.pop()
        self.health.shedding = [*self.networks, self.customers_network]

    @property
    def node(self) -> Node:
        """A merchant's request goes to any node that is ready."""
        ready = [node for node in self.nodes if node in self.health.ready and node.is_running]
        return self.random.choice(ready or list(self.nodes))

    @property
    def all_networks(self) -> list[Proxy]:
        return [*self.networks, self.customers_network, self.staying]

    def connect_networks(self) -> None:
        """Balancers find the nodes by themselves."""

    def new_customer(self, token: str, network: Proxy | None = None) -> Customer:
        """One who watches from now on; every second one stays connected to a node that has failed."""
        if network is None:
            network = self.random.choice((self.staying, self.customers_network))
        return super().new_customer(token, network)

    def starts(self) -> int:
        """While nodes die or give up trips, what was shown before its commit may be shown again.

        Then no two calls give the same number.
        """
        if not self.is_calm:
            self._epoch += 1
        return self._epoch

    # --- faults

    @contextmanager
    def fault(self, name: str) -> Iterator[Fault]:
        """Something is wrong during the block."""
        fault = Fault(name, time())
        self.faults.append(fault)
        try:
            yield fault
        finally:
            fault.ended = time()

    @property
    def is_calm(self) -> bool:
        return self.room_now() == self.slowness * CARRIED_WITHIN

    def room_now(self) -> float:
        return self.room(time())

    def room(self, at: float) -> float:
        """How many seconds after a change at that time a node may still show what was before."""
        room = self.slowness * POLLED_WITHIN
        near = (one.began - room < at < one.ended + room for one in self.faults)
        return room if any(near) else self.slowness * CARRIED_WITHIN

    async def measure_slowness(self) -> None:
        """How long it takes now, while nothing is wrong."""
        everybody = [watched.customer for watched in self.watched]
        took = await self._see_since(time(), 3 * MOVES_ON_WITHIN, everybody, "calm")
        self.slowness = max(1.0, took / QUICK)

    async def moves_on(self, fault: Fault) -> None:
        """Those who can reach a node see what their drivers sent after the fault began."""
        port = self.customers_network.port
        reaching = [one.customer for one in self.watched if one.customer.port == port]
        await self._see_since(fault.began, MOVES_ON_WITHIN, reaching, f"{fault.name} goes on")

    async def converges(self, fault: Fault) -> None:
        """All devices are acknowledged and all customers see what was sent after the end of the fault."""
        everybody = [watched.customer for watched in self.watched]
        await self._see_since(fault.ended, CONVERGES_WITHIN, everybody, fault.name)

    async def _see_since(self, since: float, within: float, customers: list[Customer], what: str) -> float:
        """Seconds until these customers see, and all devices are acknowledged, what is newer than *since*."""
        shown = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        began = monotonic() - (time() - since)

        def waiting() -> tuple[list[Customer], list[Device]]:
            behind = [one for one in customers if (one.shows or "") < shown]
            silent = [one for one in self.devices if not one.acks or one.acks[-1][0] < began + 0.5]
            return behind, silent

        within *= self.slowness
        if not await becomes_true(lambda: waiting() == ([], []), 6 * within):
            behind, silent = waiting()
            self.violations.append(f"{what}: {len(behind)} customers and {len(silent)} devices hang")
        took = round(monotonic() - began, 2)
        self.took.setdefault(what, []).append(took)
        if within < took < 6 * within:
            self.violations.append(f"{what}: everybody was up to date after {took:.1f} s, not {within:.1f}")
        return took


@asynccontextmanager
async def _bus(network: Network | None) -> AsyncIterator[list[NatsServer]]:
    names = [f"bus-{name}" for name in NAMES]
    if network is not None:
        for name in names:
            network.add(name, ["bus"])
    hosts = ["127.0.0.1" if network is None else network.address(name, "bus") for name in names]
    namespaces = ["" if network is None else network.namespace(name) for name in names]
    async with nats_cluster(hosts, namespaces) as servers:
        yield servers


def _nodes(
    folder: Path, data_dir: Path, url: str, bus: list[NatsServer], network: Network | None
) -> Iterator[Node]:
    for number, name in enumerate(f"node-{name}" for name in NAMES):
        first = bus[number:] + bus[:number]  # each node prefers another server
        settings = {"NATS_URL": ",".join(server.url for server in first)}
        if network is not None:
            network.add(name, ["front", "bus", "data"])
            settings["TRACKER_BIND"] = f"{network.address(name, 'front')}:8080"
        own = folder / name
        own.mkdir(parents=True)
        namespace = "" if network is None else network.namespace(name)
        yield Node(own, data_dir, url, settings=settings, namespace=namespace, is_judged=True)
