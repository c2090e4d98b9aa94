"""World: a service, its database, bad networks, drivers and customers, all real; and what they witnessed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final, Self

import httpx

from tests.faults.cluster import Cluster
from tests.faults.customer import Customer
from tests.faults.device import HOME, Device
from tests.faults.node import Node
from tests.faults.proxy import FINE, Proxy
from tests.service import token_of
from tests.waiting import becomes_true

MAKE_EVERY: Final = 0.5  # seconds
BACK_WITHIN: Final = 10.0  # seconds until everybody has reconnected
WRITING_WITHIN: Final = 2.0  # seconds after the database is back
IN_THE_PIPE: Final = 1.5  # seconds in which an ack that was sent before may still arrive
PLACES: Final = {
    "pickup": {"lat": 60.1713, "lon": 24.9440},
    "dropoff": {"lat": 60.1666, "lon": 24.9486},
}


class Watched:
    """A driver, their order, and who watches it."""

    def __init__(self, device: Device, order_id: str, customer: Customer) -> None:
        self.device = device
        self.order_id = order_id
        self.customer = customer


class World:
    """Everything of one run. `violations` is what nobody may see; empty at the end of a good run."""

    def __init__(self, cluster: Cluster, database_url: str, nodes: Sequence[Node], seed: int) -> None:
        self.cluster = cluster
        self.database_url = database_url
        self.nodes = nodes
        self.random = Random(seed)
        self.violations: list[str] = []
        self.watched: list[Watched] = []
        self.spare: list[Device] = []  # drivers without an order
        self.away: list[tuple[float, float]] = []  # when the database could not store
        self.kills = 0
        self.recoveries: list[float] = []  # seconds from the database's return to the first commit
        self.returns: list[float] = []  # seconds from the service's return until all are connected
        self.networks: list[Proxy] = []  # of drivers
        self.customers_network: Proxy
        self.making = asyncio.Event()
        self.trusting: ssl.SSLContext | None = None  # where a balancer ends TLS
        self.memory_more = 80.0  # MB that a node may grow by: computed routes, filled caches
        self.haste = 1.0  # what networks and processes suffer lasts so much longer
        self.events = 0  # numbers things that must differ from event to event
        self._rate = 0
        self._tasks: dict[object, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        data_dir: Path,
        cluster: Cluster,
        *,
        seed: int,
        drivers: int = 8,
        rate: int = 4,
        module: str = "tracker",
        through: Callable[[str], str] = lambda url: url,
    ) -> AsyncIterator[Self]:
        """Everybody connected and streaming; `rate`: fixes a second of each driver.

        *through* makes the service's own URL of the database, such as a pooler's.
        """
        folder.mkdir(parents=True, exist_ok=True)
        url = await cluster.new_database()
        node = Node(folder, data_dir, through(url), module)
        world = cls(cluster, url, [node], seed)
        world._rate = rate
        async with AsyncExitStack() as stack:
            stack.push_async_callback(node.end)
            stack.push_async_callback(world._stop_everybody)
            for _ in range(3):
                proxy = await stack.enter_async_context(Proxy.open(Random(world.random.random())))
                world.networks.append(proxy)
            world.customers_network = world.networks.pop()
            await node.start()
            world.connect_networks()
            await world.populate(drivers)
            yield world

    @property
    def node(self) -> Node:
        """Whom the merchant asks."""
        return self.nodes[0]

    # --- who takes part

    async def populate(self, drivers: int) -> None:
        """New drivers with their customers; returns when all are connected and streaming."""
        for number in range(drivers):
            await self._add_watched(number)
        self._begin(self, self._make_fixes())
        self.making.set()
        await self.everybody_back()

    async def _add_watched(self, number: int) -> None:
        device = await self.new_device(number)
        async with self.node.merchant() as http:
            body = {**PLACES, "driver_id": device.driver_id, "visibility": {"position": "always"}}
            order = await post(http, "/v1/orders", body)
        customer = self.new_customer(token_of(order))
        self.watched.append(Watched(device, str(order["id"]), customer))
        self.begin(device)

    def new_customer(self, token: str, network: Proxy | None = None) -> Customer:
        """One who watches from now on."""
        port = (network or self.customers_network).port
        customer = Customer(token, port, Random(self.random.random()), self.starts)
        customer.trusting = self.trusting
        self._begin(customer, customer.run())
        return customer

    def starts(self) -> int:
        """How often the service was started."""
        return len(self.node.logs)

    async def new_device(self, number: int, home: tuple[float, float] = HOME) -> Device:
        """A new driver's; it does nothing before `begin`."""
        async with self.node.merchant() as http:
            driver = await post(http, "/v1/drivers", {"name": f"Kuski {number}", "vehicle": "car"})
        port = self.networks[number % len(self.networks)].port
        device = Device(driver["id"], driver["token"], port, Random(self.random.random()), home)
        device.trusting = self.trusting
        return device

    async def new_spare(self, home: tuple[float, float] = HOME) -> Device:
        """A driver who has no order, streaming."""
        device = await self.new_device(len(self.spare), home)
        self.spare.append(device)
        self.begin(device)
        return device

    def begin(self, device: Device) -> None:
        device.stopped = False
        self._begin(device, device.run())

    def _begin(self, whose: object, work: Any) -> None:
        self._tasks[whose] = asyncio.create_task(work)

    async def stop(self, whose: object) -> None:
        task = self._tasks.pop(whose, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _stop_everybody(self) -> None:
        for whose in list(self._tasks):
            await self.stop(whose)

    @property
    def devices(self) -> list[Device]:
        return [*(watched.device for watched in self.watched), *self.spare]

    async def _make_fixes(self) -> None:
        """Everybody's readings, until `making` is cleared."""
        while True:
            await self.making.wait()
            for device in self.devices:
                if not device.stopped:
                    for step in range(max(1, int(self._rate * MAKE_EVERY))):
                        device.make(datetime.now(UTC) - timedelta(seconds=step / self._rate))
            await asyncio.sleep(MAKE_EVERY)  # simulates the interval between fixes

    # --- what the faults need

    def connect_networks(self) -> None:
        for proxy in self.all_networks:
            proxy.upstream = self.node.port

    @property
    def all_networks(self) -> list[Proxy]:
        return [*self.networks, self.customers_network]

    async def restart(self) -> None:
        """The service again, on the same data; returns when everybody is back."""
        await self.node.start()
        self.connect_networks()
        began = monotonic()
        if await self.everybody_back():
            self.returns.append(monotonic() - began)
        else:
            waiting = sum(not device.connected and not device.stopped for device in self.devices)
            self.violations.append(f"{waiting} drivers were not back within {BACK_WITHIN:.0f} s")

    async def everybody_back(self, within: float = BACK_WITHIN) -> bool:
        return await becomes_true(lambda: all(one.connected or one.stopped for one in self.devices), within)

    async def stores_again(self, since: float) -> None:
        """Waits for the first commit after the database's return."""
        if await becomes_true(lambda: self._newest_ack() > since, 30.0):
            self.recoveries.append(self._newest_ack_after(since) - since)
        else:
            self.violations.append("nothing was stored within 30 s of the database's return")

    def _newest_ack(self) -> float:
        return max((device.acks[-1][0] for device in self.devices if device.acks), default=0.0)

    def _newest_ack_after(self, since: float) -> float:
        return min(at for device in self.devices for at, stored in device.acks[-50:] if at > since)

    async def calm(self) -> None:
        """The networks are good again."""
        for proxy in self.all_networks:
            proxy.change(FINE)

    @property
    def acknowledged(self) -> int:
        return sum(len(device.ledger.acked) for device in self.devices)

    @property
    def unacknowledged(self) -> int:
        return sum(len(one.unacknowledged) for one in self.devices if not one.ledger.erased)

    async def flush(self, within: float = 60.0) -> bool:
        """Nobody makes anything new; whether every buffer became empty."""
        self.making.clear()
        return await becomes_true(lambda: self.unacknowledged == 0, within)


async def post(http: httpx.AsyncClient, path: str, body: object) -> Any:
    answer = await http.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def try_call(http: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response | None:
    """The answer, or None where the service did not give one."""
    with suppress(httpx.HTTPError):
        return await http.request(method, path, **more)
    return None
