"""PairWorld: drivers and customers of the reliability tests behind HAProxy and two nodes, over TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Self

from tests.faults.cluster import Cluster
from tests.faults.proxy import Proxy as Network
from tests.faults.world import World
from tests.proxies.pair import PairedNode, running_pair
from tests.proxies.programs import Certificate, Proxy, running_proxy
from tests.waiting import until


class PairWorld(World):
    """Every driver sends one fix a second."""

    nodes: list[PairedNode]
    balancer: Proxy
    longest_round = 0.0  # seconds from one fix of a driver to the next: a busy machine needs more than one

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, data_dir: Path, cluster: Cluster, certificate: Certificate, drivers: int
    ) -> AsyncIterator[Self]:
        """Everybody connected and streaming."""
        async with AsyncExitStack() as stack:
            url = await cluster.new_database()
            nodes = await stack.enter_async_context(running_pair(folder, data_dir, url))
            one, two = (node.address for node in nodes)
            proxy = running_proxy("haproxy", folder / "haproxy", one, certificate, second=two)
            world = cls(cluster, url, nodes, seed=5)
            world.memory_more += 0.6 * drivers  # all their trips and routes may be on one node
            world.balancer = await stack.enter_async_context(proxy)
            world.trusting = certificate.trusting
            world.customers_network = Network(Random(5))
            world.customers_network.port = world.balancer.ports.https
            world.networks = [world.customers_network]
            stack.push_async_callback(world._stop_everybody)
            await world.populate(drivers)
            yield world

    async def _make_fixes(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.making.wait()
            began, devices = loop.time(), self.devices
            for number, device in enumerate(devices, 1):
                device.make()
                await asyncio.sleep(began + number / len(devices) - loop.time())  # simulates the interval
            self.longest_round = max(self.longest_round, loop.time() - began)

    @property
    def closes(self) -> list[int]:
        """The codes of all connections that nodes have closed."""
        of_customers = [code for watched in self.watched for code in watched.customer.closes]
        return of_customers + [code for device in self.devices for code in device.closes]

    def measure(self) -> None:
        """Forget how long customers have waited for positions, and drivers for their next fix."""
        self.longest_round = 0.0
        for watched in self.watched:
            watched.customer.waits.clear()

    async def longest_wait(self) -> float:
        """Seconds, once all customers have seen a position after `measure`."""
        await until(lambda: all(watched.customer.waits for watched in self.watched), 60.0)
        return max(max(watched.customer.waits) for watched in self.watched)

    async def longest_wait_in(self, seconds: float) -> float:
        """The longest wait in so many seconds from now."""
        self.measure()
        await asyncio.sleep(seconds)  # simulates a quiet time
        return await self.longest_wait()
