"""Courier: one simulated driver at work: drives to stops, serves them, reports, and asks for the next order.

What a courier drives is what the service says it has: orders of an earlier run and those a dispatcher assigns
are served like its own.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal

from driver_sim.client.client import DriverClient
from driver_sim.client.pending_reports import ReportRefused
from driver_sim.client.reconnect import Stopped
from driver_sim.couriers.assignments import BUSY, TWO_AT_ONCE, Doing, Identity, opens_at, plan
from driver_sim.couriers.events import Event, EventSink
from driver_sim.couriers.order_source import OrderSource, patiently
from driver_sim.couriers.phone import Phone, Tempo, now
from driver_sim.errors import first_of
from driver_sim.merchant_api import ApiError, MerchantApi
from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.speed_profile import CAPS
from tracker.domain.geo import LonLat
from tracker.domain.route import Leg, Stop
from tracker.messages import AssignedOrder, NoteToDriver

NOTICED: Final = 10.0  # seconds in which a new order must reach its driver
NOTES: Final = 100


class Courier:
    """One driver; `run` is its whole day."""

    def __init__(
        self,
        who: Identity,
        driver_id: str,
        client: DriverClient,
        api: MerchantApi,
        *,
        customers: OrderSource,
        start: LonLat,
        tempo: Tempo,
        tell: EventSink,
    ) -> None:
        """`driver_id` is who the client's token stands for; `start` is where the courier stands first."""
        self.who = who
        self.driver_id = driver_id
        self.client = client
        self.phone = Phone(client, Receiver(who.reference), tempo, start)
        self.doing: Doing = "starting"
        self.stop: Stop | None = None
        self.trouble = ""
        self.delivered = 0
        self._api = api
        self._customers = customers
        customers.trouble = self.complain
        self._tempo = tempo
        self._tell = tell
        self._random = Random(f"courier {who.reference}")
        self._over_with: set[str] = set()  # orders we have reported as ended, or could not serve
        self._announced: set[str] = set()  # orders of which the run has told
        self._notes: asyncio.Queue[NoteToDriver] = asyncio.Queue(NOTES)
        self._trips = 0

    async def run(self, over: asyncio.Event) -> None:
        """Works until `over` or until there are no more orders to make; leaves nothing unacknowledged."""
        self.client.on_note = self._hear
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.client.run())
                day = [tasks.create_task(one) for one in (self.phone.carry(), self._answer_notes())]
                work, end = tasks.create_task(self._work()), tasks.create_task(over.wait())
                await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
                for task in (*day, work, end):
                    task.cancel()
                await self.client.close()
                self.doing = "done"
        except* Stopped as stopped:
            self._give_up(str(first_of(stopped)))

    def _give_up(self, why: str) -> None:
        self.doing, self.trouble = "stopped", why
        self._say("stopped", text=why)

    # --- the work

    async def _work(self) -> None:
        while not self.client.connected:
            await self.client.wait_for_news(1.0)
        while True:
            orders = self._orders()
            if orders:
                await self._trip(orders)
            elif not await self._find_work():
                return

    def _orders(self) -> list[AssignedOrder]:
        """What the service has given us and we have not finished."""
        return [one for one in self.client.orders if one.status in BUSY and one.id not in self._over_with]

    def _has(self, stop: Stop) -> bool:
        """Whether a stop is still ours: orders are cancelled and reassigned on the way."""
        return any(order.id == stop.order_id for order in self._orders())

    async def _trip(self, orders: Sequence[AssignedOrder]) -> None:
        for order in orders:
            if order.id not in self._announced:
                await self._take(order)
        stops = plan(orders)
        if len(stops) > 2:
            await self._announce(stops)
        for stop in stops:
            if self._has(stop):
                await self._serve(stop)
        self.stop, self.doing = None, "waiting"

    async def _take(self, order: AssignedOrder) -> None:
        """Tells of an order that we did not make: left over from an earlier run, or given by a dispatcher."""
        self._announced.add(order.id)
        try:
            known = await self._api.order(order.id)
        except ApiError as error:
            self.complain(error)
            return
        where = f"{order.pickup.address} to {order.dropoff.address}"
        link, reference = known.tracking_url, known.reference
        self._say("order_taken", order.id, where, tracking_url=link, reference=reference)

    async def _announce(self, stops: Sequence[Stop]) -> None:
        """Tells the service in which order we drive; a service that cannot know it does without."""
        try:
            await self._api.set_stops(self.driver_id, [(stop.order_id, stop.kind) for stop in stops])
        except ApiError as error:
            self.complain(error)

    async def _serve(self, stop: Stop) -> None:
        self.stop = stop
        self.doing = "to pickup" if stop.kind == "pickup" else "to dropoff"
        leg = await self._leg_to(stop)
        if leg is None:
            await self._report(stop, failed="no way to the address")
        elif await self._drive(leg, stop):
            self.doing = "at pickup" if stop.kind == "pickup" else "at dropoff"
            await self._wait_for(stop)
            await asyncio.sleep(
                (stop.service_s or 0.0) * self._random.uniform(0.6, 1.3) / self._tempo.speed_up
            )
            if self._has(stop):
                await self._report(stop)

    async def _wait_for(self, stop: Stop) -> None:
        """Until the order is ready or its window begins, by the real clock, or the order is taken away."""
        while (left := self._opens_in(stop)) > 0.0:
            await self.client.wait_for_news(left)

    def _opens_in(self, stop: Stop) -> float:
        """Seconds, as the order is now: its window may be changed while somebody waits for it."""
        [at] = [opens_at(one, stop.kind) for one in self._orders() if one.id == stop.order_id] or [None]
        return 0.0 if at is None else (at - now()).total_seconds()

    async def _leg_to(self, stop: Stop) -> Leg | None:
        """The way from here, or None where there is none. Waits out a service in trouble."""
        places = (self.phone.motion.at, stop.at)
        try:
            legs = await patiently(lambda: self._api.route(places, self.who.vehicle), self.complain)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return legs[0]

    async def _drive(self, leg: Leg, stop: Stop) -> bool:
        """Whether the stop was reached: an order taken away on the way ends the drive where it is."""
        seed = f"{self.who.reference} {stop.order_id} {stop.kind}"
        caps = CAPS[self.who.vehicle]
        return await self.phone.drive(leg, caps, seed=seed, wanted=lambda: self._has(stop))

    async def _report(self, stop: Stop, *, failed: str | None = None) -> None:
        status: Literal["picked_up", "delivered", "failed"] = (
            "failed" if failed else "picked_up" if stop.kind == "pickup" else "delivered"
        )
        if status != "picked_up":
            self._over_with.add(stop.order_id)
        try:
            await self.client.report(stop.order_id, status, reason=failed, at=now())
        except ReportRefused as refused:
            self._over_with.add(stop.order_id)
            self.complain(refused)
        else:
            self.delivered += status == "delivered"
            self._say(status, order_id=stop.order_id, text=failed or "")

    async def _find_work(self) -> bool:
        """New orders for this courier; False where no more are wanted."""
        self.doing = "waiting"
        wanted = 2 if self._trips and self._random.random() < TWO_AT_ONCE else 1
        self._trips += 1
        made = await self._customers.order(wanted, self.driver_id, self.who.vehicle, self.phone.motion.at)
        self._announced |= {one.order.id for one in made}
        for one in made:
            link, reference = one.order.tracking_url, one.order.reference
            self._say("order_created", one.order.id, one.where, tracking_url=link, reference=reference)
        await self._notice({one.order.id for one in made})
        return bool(made)

    async def _notice(self, order_ids: set[str]) -> None:
        """Waits until the service has told us of our new orders, or has given them to somebody else."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTICED):
                while not order_ids <= {order.id for order in self.client.orders}:
                    await self.client.wait_for_news(NOTICED)

    # --- customers

    def _hear(self, note: NoteToDriver) -> None:
        if not self._notes.full():
            self._notes.put_nowait(note)

    async def _answer_notes(self) -> None:
        """Customers who write get a word back."""
        while True:
            note = await self._notes.get()
            self._say("message", order_id=note.order_id, text=note.text)
            try:
                await self.client.say(note.order_id, "Got it, thank you!")
            except ReportRefused as refused:
                self.complain(refused)

    def complain(self, error: Exception) -> None:
        """Something did not work, and the day goes on."""
        self._say("trouble", text=str(error))

    def _say(
        self,
        kind: str,
        order_id: str | None = None,
        text: str = "",
        *,
        tracking_url: str | None = None,
        reference: str | None = None,
    ) -> None:
        event = Event(
            kind,
            datetime.now(UTC),
            self.who.name,
            self.who.vehicle,
            driver_id=self.driver_id,
            order_id=order_id,
            reference=reference,
            tracking_url=tracking_url,
            text=text,
        )
        self._tell(event)
