"""Pair: two nodes on one database and one bus, which are stopped and started again on their ports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.faults.node import Node
from tests.nats import nats_server
from tests.proxies.programs import Proxy, free_port


class PairedNode(Node):
    """A node with an address of its own, which a balancer keeps in its file."""

    def __init__(self, folder: Path, data_dir: Path, database_url: str, nats_url: str) -> None:
        super().__init__(folder, data_dir, database_url)
        self.address = f"127.0.0.1:{free_port()}"
        self._environment |= {
            "TRACKER_BIND": self.address,
            "TRACKER_TRUSTED_PROXIES": "127.0.0.1",
            "NATS_URL": nats_url,
        }

    async def restart(self) -> None:
        """As a unit of systemd restarts it."""
        assert await self.terminate() == 0
        await self.start()


@asynccontextmanager
async def running_pair(folder: Path, data_dir: Path, database_url: str) -> AsyncIterator[list[PairedNode]]:
    """Run two nodes during the block."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(nats_server())
        nodes = []
        for name in ("one", "two"):
            (folder / name).mkdir(parents=True)
            nodes.append(PairedNode(folder / name, data_dir, database_url, bus.url))
            stack.push_async_callback(nodes[-1].end)
        await asyncio.gather(*(node.start() for node in nodes))
        yield nodes


async def serves_through(balancer: Proxy, node: PairedNode) -> bool:
    """Whether the balancer sends requests to a node that has no other connections."""
    before = await requests(node)
    async with balancer.client() as http:
        for _ in range(4):
            await http.get("/livez")
    return await requests(node) > before


async def requests(node: PairedNode) -> float:
    metrics = await node.metrics()
    return metrics.get('tracker_http_requests_total{method="GET",route="/livez",status="200"}', 0.0)
