"""Courier: a simulated driver that drives to stops, serves them, reports, and creates the next order.

A courier serves every order that the service assigns to it, also those of earlier runs and of dispatchers.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal

from driver_sim.client.pending_reports import ReportRejected
from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.couriers.assignments import (
    OPEN_STATUSES,
    TWO_ORDERS_SHARE,
    Activity,
    Identity,
    opens_at,
    plan,
)
from driver_sim.couriers.events import Event, EventSink
from driver_sim.couriers.order_source import OrderSource, retry_while_unavailable
from driver_sim.couriers.phone import Phone, Tempo, now
from driver_sim.couriers.proofs import Proofs
from driver_sim.errors import NoPin, first_error
from driver_sim.merchant_api import ApiError, DriverAccess, MerchantApi
from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.speed_profile import CAPS
from driver_sim.sources.protocols import Protocol, open_client, open_source
from tracker.domain.geo import LonLat
from tracker.domain.route import Leg, Stop
from tracker.messages import AssignedOrder, NoteToDriver

ASSIGNMENT_TIMEOUT: Final = 10.0  # seconds to wait for a new order to arrive over the driver's stream
MAX_NOTES: Final = 100


class Courier:
    """One simulated driver."""

    def __init__(
        self,
        identity: Identity,
        access: DriverAccess,
        api: MerchantApi,
        *,
        protocol: Protocol,
        order_source: OrderSource,
        start: LonLat,
        tempo: Tempo,
        emit: EventSink,
    ) -> None:
        """Create a courier at *start*, who sends positions by *protocol*. Raises NoBroker."""
        self.identity = identity
        self.driver_id = access.id
        self.client = open_client(protocol, api.url, access, Random(f"client {identity.reference}"))
        self.source = open_source(protocol, api.url, access, self.client, self.report_error)
        self.phone = Phone(self.source, Receiver(identity.reference), tempo, start)
        self.activity: Activity = "starting"
        self.stop: Stop | None = None
        self.error = ""
        self.delivered = 0
        self._api = api
        self._order_source = order_source
        order_source.on_error = self.report_error
        self._proofs = Proofs(
            api,
            access.token,
            is_own=lambda order: order_source.placed(order.reference),
            on_error=self.report_error,
        )
        self._tempo = tempo
        self._emit_event = emit
        self._random = Random(f"courier {identity.reference}")
        self._finished: set[str] = set()  # orders reported as ended, or that could not be served
        self._reported_orders: set[str] = set()  # orders with an event in the run's output
        self._notes: asyncio.Queue[NoteToDriver] = asyncio.Queue(MAX_NOTES)
        self._trips = 0

    async def run(self, shutdown: asyncio.Event) -> None:
        """Work until *shutdown* or the end of the order budget, then flush.

        A PermanentDisconnect ends the work of this courier only.
        """
        self.client.on_note = self._queue_note
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.client.run())
                background = [tasks.create_task(one) for one in (self.phone.run(), self._answer_notes())]
                app = tasks.create_task(self.source.run()) if self.source is not self.client else None
                work, end = tasks.create_task(self._serve_orders()), tasks.create_task(shutdown.wait())
                await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
                for task in (*background, work, end):
                    task.cancel()
                await self.source.flush()
                await self.client.close()
                if app is not None:
                    app.cancel()
                self.activity = "done"
        except* PermanentDisconnect as disconnect:
            self.activity, self.error = "stopped", str(first_error(disconnect))
            self._emit("stopped", text=self.error)

    # --- the work

    async def _serve_orders(self) -> None:
        while not self.client.connected:
            await self.client.wait_for_change(1.0)
        while True:
            orders = self._orders()
            if orders:
                await self._serve_trip(orders)
            elif not await self._place_orders():
                return

    def _orders(self) -> list[AssignedOrder]:
        """Return the assigned orders that are not finished."""
        return [
            one for one in self.client.orders if one.status in OPEN_STATUSES and one.id not in self._finished
        ]

    def _is_assigned(self, stop: Stop) -> bool:
        """Whether the stop's order is still assigned here: merchants cancel and reassign orders."""
        return any(order.id == stop.order_id for order in self._orders())

    async def _serve_trip(self, orders: Sequence[AssignedOrder]) -> None:
        for order in orders:
            if order.id not in self._reported_orders:
                await self._report_taken(order)
        stops = plan(orders)
        if len(stops) > 2:
            await self._send_stop_sequence(stops)
        for stop in stops:
            if self._is_assigned(stop):
                await self._serve(stop)
        self.stop, self.activity = None, "waiting"

    async def _report_taken(self, order: AssignedOrder) -> None:
        """Emit an event for an order of an earlier run or of a dispatcher."""
        self._reported_orders.add(order.id)
        try:
            stored = await self._api.order(order.id)
        except ApiError as error:
            self.report_error(error)
            return
        where = f"{order.pickup.address} to {order.dropoff.address}"
        link, reference = stored.tracking_url, stored.reference
        self._emit("order_taken", order.id, where, tracking_url=link, reference=reference)

    async def _send_stop_sequence(self, stops: Sequence[Stop]) -> None:
        """Send the stop sequence. The service can do without it, so only report an error."""
        try:
            await self._api.set_stops(self.driver_id, [(stop.order_id, stop.kind) for stop in stops])
        except ApiError as error:
            self.report_error(error)

    async def _serve(self, stop: Stop) -> None:
        self.stop = stop
        self.activity = "to pickup" if stop.kind == "pickup" else "to dropoff"
        leg = await self._leg_to(stop)
        if leg is None:
            await self._report_stop(stop, failed="no route to the address")
        elif await self._drive_to(leg, stop):
            self.activity = "at pickup" if stop.kind == "pickup" else "at dropoff"
            while (left := self._seconds_until_open(stop)) > 0.0:  # not sped up
                await self.client.wait_for_change(left)
            await asyncio.sleep(
                (stop.service_s or 0.0) * self._random.uniform(0.6, 1.3) / self._tempo.speed_up
            )
            if self._is_assigned(stop):
                await self._report_stop(stop, failed=await self._prove(stop))

    def _seconds_until_open(self, stop: Stop) -> float:
        """Return the seconds until the earliest service. Merchants may change the window."""
        [at] = [opens_at(one, stop.kind) for one in self._orders() if one.id == stop.order_id] or [None]
        return 0.0 if at is None else (at - now()).total_seconds()

    async def _leg_to(self, stop: Stop) -> Leg | None:
        """Return the leg from here, or None without a route. Retries while the service is unavailable."""
        places = (self.phone.motion.at, stop.at)
        try:
            legs = await retry_while_unavailable(
                lambda: self._api.route(places, self.identity.vehicle), self.report_error
            )
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return legs[0]

    async def _drive_to(self, leg: Leg, stop: Stop) -> bool:
        """Drive to the stop. Return False if the order is taken away before the arrival."""
        seed = f"{self.identity.reference} {stop.order_id} {stop.kind}"
        caps = CAPS[self.identity.vehicle]
        return await self.phone.drive(leg, caps, seed=seed, keep_going=lambda: self._is_assigned(stop))

    async def _prove(self, stop: Stop) -> str | None:
        """Send the proofs that the stop needs. Return why that is impossible, or None."""
        try:
            for order in self._orders():
                if order.id == stop.order_id:
                    await self._proofs.give(order, stop.kind)
        except (ApiError, NoPin) as error:
            return str(error)
        return None

    async def _report_stop(self, stop: Stop, *, failed: str | None = None) -> None:
        status: Literal["picked_up", "delivered", "failed"] = (
            "failed" if failed else "picked_up" if stop.kind == "pickup" else "delivered"
        )
        if status != "picked_up":
            self._finished.add(stop.order_id)
        try:
            await self.client.report(stop.order_id, status, reason=failed, at=now())
        except ReportRejected as rejected:
            self._finished.add(stop.order_id)
            self.report_error(rejected)
        else:
            self.delivered += status == "delivered"
            self._emit(status, order_id=stop.order_id, text=failed or "")

    async def _place_orders(self) -> bool:
        """Create orders for this courier. Return False at the end of the order budget."""
        self.activity = "waiting"
        count = 2 if self._trips and self._random.random() < TWO_ORDERS_SHARE else 1
        self._trips += 1
        placed = await self._order_source.order(
            count, self.driver_id, self.identity.vehicle, self.phone.motion.at
        )
        self._reported_orders |= {one.order.id for one in placed}
        for one in placed:
            link, reference = one.order.tracking_url, one.order.reference
            self._emit("order_created", one.order.id, one.where, tracking_url=link, reference=reference)
        await self._wait_until_assigned({one.order.id for one in placed})
        return bool(placed)

    async def _wait_until_assigned(self, order_ids: set[str]) -> None:
        """Wait until the stream lists the new orders. Stop at a timeout, since they may be reassigned."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ASSIGNMENT_TIMEOUT):
                while not order_ids <= {order.id for order in self.client.orders}:
                    await self.client.wait_for_change(ASSIGNMENT_TIMEOUT)

    # --- customers

    def _queue_note(self, note: NoteToDriver) -> None:
        if not self._notes.full():
            self._notes.put_nowait(note)

    async def _answer_notes(self) -> None:
        """Reply to each note of a customer."""
        while True:
            note = await self._notes.get()
            self._emit("message", order_id=note.order_id, text=note.text)
            try:
                await self.client.send_note(note.order_id, "Got it, thank you!")
            except ReportRejected as rejected:
                self.report_error(rejected)

    def report_error(self, error: Exception) -> None:
        """Emit an event for an error that does not stop the courier."""
        self._emit("trouble", text=str(error))

    def _emit(
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
            self.identity.name,
            self.identity.vehicle,
            driver_id=self.driver_id,
            order_id=order_id,
            reference=reference,
            tracking_url=tracking_url,
            text=text,
        )
        self._emit_event(event)
