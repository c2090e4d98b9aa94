"""Balancer: gives each connection to any node that says it is ready, as a load balancer does."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

import httpx

from tests.faults.node import Node
from tests.faults.proxy import Proxy

CHECK_EVERY: Final = 0.5  # seconds
READY_WITHIN: Final = 1.0


class Health:
    """Which nodes are ready, by `/readyz`. One that is not loses the connections of those who `shed`."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self.ready: set[Node] = set()
        self.shedding: list[Proxy] = []

    async def watch_forever(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for node in self._nodes:
                tasks.create_task(self._watch(node))

    async def _watch(self, node: Node) -> None:
        while True:
            if await self._is_ready(node):
                self.ready.add(node)
            elif node in self.ready:
                self.ready.discard(node)
                for proxy in self.shedding:
                    proxy.cut(node.port)
            await asyncio.sleep(CHECK_EVERY)  # simulates a load balancer's interval

    @staticmethod
    async def _is_ready(node: Node) -> bool:
        if not node.is_running or not node.port:
            return False
        with suppress(httpx.TransportError):
            async with node.merchant(timeout=READY_WITHIN) as http:
                return (await http.get("/readyz")).is_success
        return False


class Balancer(Proxy):
    """Chooses among the nodes that are ready."""

    def __init__(self, random: Random, health: Health) -> None:
        super().__init__(random)
        self._choice = Random(random.random())
        self._health = health

    def choose(self) -> int | None:
        ready = sorted(node.port for node in self._health.ready if node.is_running)
        return self._choice.choice(ready) if ready else None
