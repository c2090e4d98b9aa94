"""Several nodes in one process: one real database, a bus in memory, and a router of straight streets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import msgspec

from tests.privacy.simulation.memory import NoHindsight, Streets
from tracker.database import Database
from tracker.database.drivers import insert_driver
from tracker.domain.driver.role import Role
from tracker.domain.driver.silence import Departure
from tracker.domain.order import Customer, Driver, Order, Place
from tracker.domain.tracks.fix import Fix
from tracker.fix_recorder import FixRecorder
from tracker.live.bus.memory_bus import MemoryBus, MemoryNetwork
from tracker.live.delivery.hub import Hub
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import Receipt
from tracker.live.fleet import Fleet
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.messages import ToDriver
from tracker.metrics import Metrics
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.lifecycle import OrderLifecycle

RETENTION = timedelta(days=30)
LAT, LON = 60.17, 24.94
TOKEN_HASH = b"of a token"  # of all drivers


class Node(msgspec.Struct):
    """One node: its fleet, its orders and what it shares with others."""

    fleet: Fleet
    orders: OrderLifecycle
    leases: Leases
    bus: MemoryBus
    database: Database

    async def store(self, driver: Driver, *fixes: Fix, role: Role = "source") -> Receipt:
        """Take fixes as from a request, and return after the commit."""
        return await self.fleet.record(driver, await self.fleet.receive(driver, fixes, role=role))

    def owns(self, driver: Driver) -> bool:
        return self.leases.owns(driver.id)

    def fixes_of(self, driver: Driver) -> int:
        """How many fixes the trip has in memory."""
        live = self.fleet._trips.get(driver.id)
        return 0 if live is None else len(list(live.trip.track.remembered))

    async def dies(self) -> None:
        """As after a kill: nothing is renewed or released, and five seconds have passed."""
        self.bus.disconnect()
        await self.expire()

    async def expire(self) -> None:
        await self.database.pool.execute(
            "UPDATE nodes SET expires_at = now() - interval '1 second' WHERE id = $1", self.leases.node
        )

    def freeze(self) -> None:
        """Stand still for longer than the leases last."""
        self.leases._renewing.cancel()
        self.leases._valid_until = self.leases._attempted_at = 0.0

    def lose_database(self) -> None:
        """As if renewals had failed until the leases ran out."""
        self.freeze()
        self.leases._is_away, self.leases._attempted_at = True, inf

    async def wake(self) -> None:
        await self.leases._renew()


class Device:
    """A driver's connection to one node."""

    def __init__(self, role: Role = "source") -> None:
        self.role: Role = role
        self.token_hash = TOKEN_HASH
        self.departure: Departure = "lost"
        self.heard: list[ToDriver] = []
        self.end = ""

    def push(self, message: ToDriver) -> None:
        self.heard.append(message)

    def replace(self) -> None:
        self.end = "replaced"

    def revoke(self) -> None:
        self.end = "revoked"

    async def settle(self) -> None:
        """Nothing is in flight."""

    def restart(self) -> None:
        self.end = "restarting"


@asynccontextmanager
async def nodes(database: Database, count: int = 2, *, bus: bool = True) -> AsyncIterator[list[Node]]:
    """Run nodes during the block; without *bus* each is alone on it."""
    network = MemoryNetwork()
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(node(database, network if bus else MemoryNetwork()))
            for _ in range(count)
        ]
        for one in found:  # the first ones do not know the later ones yet
            await one.leases._renew()
        yield found


@asynccontextmanager
async def node(database: Database, network: MemoryNetwork) -> AsyncIterator[Node]:
    bus, metrics = MemoryBus(network), Metrics()
    leases = Leases(database, hears_others=lambda: bus.connected)

    async def notify(change: OrderChange) -> None:
        await fleet.order_changed(change)

    orders = OrderLifecycle(database, notify, now)
    feedback: Any = NoHindsight()
    router: Any = Streets()
    milestones = MilestoneWriter(database, orders.note_milestone, metrics)
    async with leases.running(), FixRecorder(database, leases.node) as recorder:
        fleet = Fleet(
            database=database,
            recorder=recorder,
            router=router,
            hub=Hub(b"a key"),
            feedback=feedback,
            milestones=milestones,
            leases=leases,
            exchange=Exchange(bus, leases.node),
            area=lambda: None,
            metrics=metrics,
            retention=RETENTION,
            now=now,
        )
        async with milestones.running(), fleet.running():
            yield Node(fleet, orders, leases, bus, database)


def now() -> datetime:
    return datetime.now(UTC)


async def new_driver(database: Database, name: str = "Aino") -> Driver:
    created = Driver(id=f"drv_{name}", number=0, name=name, vehicle="car", created_at=now())
    driver = await insert_driver(database, created)
    await database.pool.execute(
        "INSERT INTO driver_tokens (token_hash, driver, used_at) VALUES ($1, $2, now()) "
        "ON CONFLICT DO NOTHING",
        TOKEN_HASH,
        driver.number,
    )
    return driver


async def new_order(node: Node, driver: Driver | None) -> Order:
    new = NewOrder(
        pickup=Place(lat=LAT, lon=LON),
        dropoff=Place(lat=LAT + 0.01, lon=LON),
        customer=Customer(name="Ville"),
        driver_id=None if driver is None else driver.id,
    )
    return await node.orders.create(new)


def fix(seconds_ago: float, lat: float = LAT, lon: float = LON) -> Fix:
    return Fix(now() - timedelta(seconds=seconds_ago), lat, lon, accuracy=5.0)
