"""World: one node's live views on a virtual clock, and all that is said, as the judge reads it.

Fleet, trips, hub, mailboxes and codecs are the service's own; what customers are sent is read from the bytes
of the frames. Database and router are in memory.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from tests.privacy.exchanges import Exchange, Reading, Record, Said
from tests.privacy.judge import Judge, Violation
from tests.privacy.simulation.memory import Memory, NoHindsight, Streets
from tracker.domain.driver.duty import Duty
from tracker.domain.order import Driver, Order, OrderStatus, StopKind
from tracker.domain.tracks.fix import Fix
from tracker.live.bus.memory_bus import MemoryBus
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.subscription import Outgoing, Subscription
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.fleet import Fleet
from tracker.live.nodes.exchange import Exchange as NodeExchange
from tracker.live.nodes.leases import Leases
from tracker.messages import End, rfc3339
from tracker.metrics import Metrics
from tracker.orders.changes import OrderChange

BEGIN: Final = datetime(2026, 11, 30, 9, tzinfo=UTC)
RETENTION: Final = timedelta(days=30)
JSON: Final = {"content-type": "application/json"}
HANDSHAKE: Final = b"GET /v1/track/%s/stream HTTP/1.1\r\nHost: here\r\n\r\n"
UPGRADED: Final = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
STOPS: Final[tuple[StopKind, ...]] = ("pickup", "dropoff")
OVER: Final = (OrderStatus.DELIVERED, OrderStatus.FAILED, OrderStatus.CANCELLED)


class Watcher:
    """A customer's socket."""

    def __init__(self, order_id: str, line: int, *, binary: bool, slow: bool) -> None:
        self.order_id, self.line, self.binary, self.slow = order_id, line, binary, slow
        self.cursor = ""
        self.subscription: Subscription | None = None
        self.reading = Reading()


class World:
    """Drivers, orders and customers of one trip, and the node that serves them."""

    def __init__(self, router: Streets | None = None, feedback: NoHindsight | None = None) -> None:
        self.now = BEGIN
        self.router, self.feedback = router or Streets(), feedback or NoHindsight()
        self.memory = Memory()
        self.records: list[tuple[float, int, Record]] = []
        self.watchers: list[Watcher] = []
        self.heard: list[dict[str, Any]] = []  # what customers were told
        self._lines = 100
        self._node = AsyncExitStack()

    def wait(self, seconds: float) -> None:
        self.now += timedelta(milliseconds=round(1_000.0 * seconds))  # as exact as it is told

    def verdict(self) -> list[Violation]:
        return Judge().hears(self.records)

    # --- the node

    async def start(self) -> None:
        hub = Hub(b"a key")
        leases = Leases(self.memory, clock=lambda: 0.0)  # type: ignore[arg-type]
        milestones = MilestoneWriter(self.memory, self.memory.note, Metrics())  # type: ignore[arg-type]
        self.fleet = Fleet(
            database=self.memory,  # type: ignore[arg-type]
            recorder=self.memory,  # type: ignore[arg-type]
            router=self.router,  # type: ignore[arg-type]
            hub=hub,
            feedback=self.feedback,  # type: ignore[arg-type]
            milestones=milestones,
            leases=leases,
            exchange=NodeExchange(MemoryBus(), leases.node),
            area=lambda: None,
            metrics=Metrics(),
            retention=RETENTION,
            now=lambda: self.now,
        )
        await self._node.enter_async_context(milestones.running())
        await self._node.enter_async_context(self.fleet.running())

    async def stop(self) -> None:
        """The newest fixes are stored, as after a commit."""
        await self.settle()
        for live in self.fleet._trips:
            newest = live.trip.track.newest
            if newest is not None:
                self.memory.states[live.trip.driver.number] = newest
        await self._node.aclose()

    async def restart(self) -> None:
        """Another node; customers come back with their cursors."""
        await self.stop()
        self._node = AsyncExitStack()
        await self.start()
        for watcher in self.watchers:
            if watcher.subscription is not None:
                await self.watch(watcher)

    async def settle(self) -> None:
        """Until routes and milestones are there."""
        for _ in range(4):
            await asyncio.sleep(0)  # yields to the tasks of the fleet

    async def look(self) -> None:
        """The timer."""
        await self.fleet._review_trips()
        self.drain()

    # --- drivers

    def new_driver(self, name: str) -> Driver:
        number = len(self.memory.drivers) + 1
        driver = Driver(id=f"drv_{number}", number=number, name=name, vehicle="car", created_at=self.now)
        self.memory.drivers[driver.id] = driver
        answer = {"id": driver.id, "name": name, "token": f"token-of-{driver.id}"}
        self._exchange("POST", "/v1/drivers", {"name": name}, answer)
        return driver

    async def moves(self, driver: Driver, *fixes: Fix) -> None:
        told = [{"recorded_at": rfc3339(one.recorded_at), **_numbers(one)} for one in fixes]
        text = msgspec.json.encode({"type": "fixes", "id": 1, "fixes": told}).decode()
        headers = {"authorization": f"Bearer token-of-{driver.id}"}
        self._say(driver.number, Said(self._at, True, "/v1/drivers/stream", headers, text))
        await self.fleet.record(driver, await self.fleet.receive(driver, fixes))
        await self.settle()
        self.drain()

    async def change_duty(self, driver: Driver, duty: Duty) -> None:
        self.wait(0.005)
        asked = {"on": duty != "off", "on_break": duty == "on_break"}
        self._exchange("POST", f"/v1/drivers/{driver.id}/duty", asked, {"id": driver.id})
        await self.fleet.states.set_duty(driver.id, duty)
        await self.settle()
        self.drain()
        self.wait(0.005)

    # --- merchants

    async def new_order(self, order: Order, driver: Driver | None) -> None:
        self.memory.orders[order.id] = order
        self._exchange("POST", "/v1/orders", {"visibility": order.visibility}, _answer(order))
        if driver is not None:
            await self.assign(order.id, driver)

    async def assign(self, order_id: str, driver: Driver) -> None:
        before = self.memory.orders[order_id]
        self._leave(before)
        status = OrderStatus.ASSIGNED if before.status is OrderStatus.CREATED else before.status
        kinds = STOPS if before.picked_up_at is None else STOPS[1:]
        self.memory.stops.setdefault(driver.id, []).extend((order_id, kind) for kind in kinds)
        await self._changed(before, status=status, driver_id=driver.id, assigned_at=self.now)

    async def becomes(self, order_id: str, status: OrderStatus) -> None:
        before = self.memory.orders[order_id]
        if status is OrderStatus.CREATED:
            self._leave(before)
            await self._changed(before, status=status, driver_id=None, assigned_at=None)
            return
        if status in OVER:
            self._leave(before)
            await self._changed(before, status=status, closed_at=self.now, **{f"{status.value}_at": self.now})
            return
        stops = self.memory.stops[before.driver_id or ""]
        stops.remove((order_id, "pickup"))
        await self._changed(before, status=status, picked_up_at=self.now)

    async def patch(self, order_id: str, **fields: Any) -> None:
        await self._changed(self.memory.orders[order_id], **fields)

    async def resequence(self, driver: Driver, stops: list[tuple[str, StopKind]]) -> None:
        self.memory.stops[driver.id] = stops
        for order_id in dict.fromkeys(order_id for order_id, _ in stops):
            await self._tell(OrderChange(order_id, (driver.id,)))

    def _leave(self, order: Order) -> None:
        if order.driver_id is None:
            return
        stops = self.memory.stops[order.driver_id]
        stops[:] = [stop for stop in stops if stop[0] != order.id]
        number = self.memory.drivers[order.driver_id].number
        self.memory.assignments.append((number, order.id, self.now))

    async def _changed(self, before: Order, **fields: Any) -> None:
        """What was told before is told earlier."""
        self.wait(0.005)
        order = msgspec.structs.replace(before, version=before.version + 1, **fields)
        self.memory.orders[order.id] = order
        self._exchange("POST", f"/v1/orders/{order.id}", {}, _answer(order))
        drivers = dict.fromkeys(one.driver_id for one in (before, order) if one.driver_id is not None)
        await self._tell(OrderChange(order.id, tuple(drivers)))

    async def _tell(self, change: OrderChange) -> None:
        await self.fleet.order_changed(change)
        await self.settle()
        self.drain()

    # --- customers

    def new_watcher(self, order_id: str, *, binary: bool = False, slow: bool = False) -> Watcher:
        self._lines += 1
        watcher = Watcher(order_id, self._lines, binary=binary, slow=slow)
        self.watchers.append(watcher)
        return watcher

    async def watch(self, watcher: Watcher) -> None:
        """Come, or come back with the last cursor, on a new line."""
        self._lines += 1
        watcher.line, watcher.reading = self._lines, Reading()
        token = f"link-of-{watcher.order_id}"
        lines = [(self._at, True, HANDSHAKE % token.encode()), (self._at, False, UPGRADED)]
        list(watcher.reading.read(lines))
        subscribing = self.fleet.views.subscribe(watcher.order_id, "lnk", cursor=watcher.cursor)
        watcher.subscription, first = await subscribing
        for outgoing in first:
            self._hear(watcher, outgoing)

    def leave(self, watcher: Watcher) -> None:
        if watcher.subscription is not None:
            self.fleet.views.unsubscribe(watcher.order_id, watcher.subscription)
            watcher.subscription = None

    def drain(self, *, slow: bool = False) -> None:
        """What waits goes out; slow readers take it only now and then."""
        for watcher in self.watchers:
            subscription = watcher.subscription
            if subscription is None or (watcher.slow and not slow):
                continue
            while (outgoing := subscription.take()) is not None:
                self._hear(watcher, outgoing)
                if isinstance(outgoing.message, End):
                    self.leave(watcher)
                    break

    async def looks(self, order_id: str) -> None:
        """One snapshot by HTTP."""
        answer = msgspec.json.encode(await self.fleet.views.snapshot(order_id))
        self._exchange("GET", f"/v1/track/link-of-{order_id}", None, msgspec.Raw(answer))
        self.heard.append(msgspec.json.decode(answer))

    def _hear(self, watcher: Watcher, outgoing: Outgoing) -> None:
        data = outgoing.frame(binary=watcher.binary).encoded()
        watcher.cursor = outgoing.cursor or watcher.cursor
        for record in watcher.reading.read([(self._at, False, data)]):
            self._say(watcher.line, record)
            assert isinstance(record, Said)
            text = record.text
            told = msgspec.json.decode(text) if isinstance(text, str) else msgspec.msgpack.decode(text)
            self.heard.append(told)

    # --- what the judge reads

    @property
    def _at(self) -> float:
        return self.now.timestamp()

    def _say(self, line: int, record: Record) -> None:
        self.records.append((self._at, line, record))

    def _exchange(self, method: str, path: str, body: Any, answer: Any) -> None:
        said = msgspec.json.encode
        self._say(0, Exchange(method, path, {}, self._at, said(body), 200, JSON, self._at, said(answer)))


def _numbers(fix: Fix) -> dict[str, float | None]:
    return {"lat": fix.lat, "lon": fix.lon, "accuracy": fix.accuracy, "speed": fix.speed}


def _answer(order: Order) -> dict[str, Any]:
    """An order as merchants read it."""
    times = {name: getattr(order, f"{name}_at") for name in ("created", "assigned", "picked_up")}
    window = {"from": _time(order.window_from), "to": _time(order.window_to)}
    return {
        "id": order.id,
        "reference": order.reference,
        "status": order.status.value,
        "driver_id": order.driver_id,
        "dropoff": {"lat": order.dropoff.lat, "lon": order.dropoff.lon, "address": order.dropoff.address},
        "version": order.version,
        "customer": None if order.customer is None else msgspec.structs.asdict(order.customer),
        "window": window if order.window_from is not None else None,
        "timestamps": {name: rfc3339(at) for name, at in times.items() if at is not None},
        "tracking_url": f"http://here/t/link-of-{order.id}",
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
