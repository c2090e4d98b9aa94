"""OrderLifecycle: every change of an order is a rule, a transaction, a timeline entry and a notification.

Transactions lock the order first and then its drivers by id, so that they cannot deadlock.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from tracker.database import Connection, Database
from tracker.database import links as link_rows
from tracker.database import orders as rows
from tracker.database.customers import erase_answers_about, erase_customers
from tracker.database.events import timeline
from tracker.database.events.milestones import insert_milestone
from tracker.database.plans import count_notes
from tracker.domain.arrival.milestone import Milestone
from tracker.domain.link import Link
from tracker.domain.order import OPEN, Note, Order, OrderStatus, Outcome, Sender, check_transition
from tracker.domain.order_rules import (
    check_version,
    drivers_of,
    require_order,
    require_text,
    whole_ms,
)
from tracker.errors import Conflict, FieldError, InvalidFields, NotFound, TrackerError
from tracker.messages import NOTE_BYTES
from tracker.orders import steps
from tracker.orders.attempts import NewAttempt, restart
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.creation import Created, insert_orders, require_created
from tracker.orders.proofs import with_pin
from tracker.orders.reports import ReportedStatus, apply_report
from tracker.orders.sequencer import Sequencer, StopKey
from tracker.orders.stop_sequences import StopSequences
from tracker.tokens import new_id

NOTES: Final = 100  # per order, from the driver and from its customers each
ERASED: Final = "driver_erased"  # the reason of an order whose driver was erased after the pickup

_log = structlog.get_logger("tracker.orders.lifecycle")


class OrderLifecycle:
    """Changes orders; calls *on_change* after each commit."""

    def __init__(
        self,
        database: Database,
        on_change: Callable[[OrderChange], Awaitable[None]],
        now: Callable[[], datetime],
        sequencer: Sequencer | None = None,
    ) -> None:
        self._database = database
        self._on_change = on_change
        self._clock = now
        self._stops = StopSequences(database, sequencer)

    def _now(self) -> datetime:
        return whole_ms(self._clock())

    async def notify(self, change: OrderChange) -> None:
        """Place appended stops and publish the change. It is committed, so failures are only logged."""
        if change.appended_to is not None:
            await self._place(change.appended_to, [change.order_id])
        try:
            await self._on_change(change)
        except TrackerError as error:
            _log.warning("notification_failed", order=change.order_id, why=type(error).__name__)

    async def notify_created(self, orders: Sequence[Order]) -> None:
        """Notify each driver once, however many orders they got. A new order has no watchers yet."""
        by_driver: dict[str, list[str]] = {}
        for order in orders:
            if order.driver_id is not None:
                by_driver.setdefault(order.driver_id, []).append(order.id)
        for driver_id, order_ids in by_driver.items():
            await self._place(driver_id, order_ids)
            await self.notify(OrderChange(order_ids[-1], (driver_id,)))

    async def _place(self, driver_id: str, order_ids: Sequence[str]) -> None:
        try:
            await self._stops.place(driver_id, order_ids, self._now())
        except TrackerError as error:
            _log.info("stop_insertion_failed", order=order_ids[-1], why=type(error).__name__)

    # --- reading

    async def get(self, order_id: str) -> Order:
        """Return an order. Raises NotFound."""
        return require_order(await rows.select_order(self._database, order_id))

    async def of_driver(self, driver_id: str) -> list[Order]:
        """Return the driver's open orders in stop sequence."""
        return await rows.select_orders_of_driver(self._database, driver_id)

    # --- changing

    async def create(self, new: NewOrder) -> Order:
        """Create an order. Raises InvalidFields for an unknown driver."""
        async with self._database.transaction() as connection:
            [created] = await self.insert(connection, [new])
        order = require_created(created).order
        await self.notify_created([order])
        return order

    async def insert(self, connection: Connection, new: Sequence[NewOrder]) -> list[Created]:
        """Create orders inside the caller's transaction, which calls `notify_created` after the commit."""
        return await insert_orders(connection, new, self._now())

    async def patch(
        self, order_id: str, edit: Callable[[Order], Order], versions: Collection[int] | None = None
    ) -> Order:
        """Replace the order, if it has one of these *versions*, with the result of *edit*.

        Raises NotFound, StaleVersion, Conflict once it has ended.
        """
        async with self._database.transaction() as connection:
            before = require_order(await rows.lock_order(connection, order_id))
            check_version(before, versions)
            if before.status not in OPEN:
                raise Conflict(f"The order is {before.status} and can no longer be changed.")
            order = with_pin(edit(before))
            if order == before:
                return before
            order = await steps.store(connection, order)
        await self.notify(OrderChange(order_id, drivers_of(order)))
        return order

    async def assign(self, order_id: str, driver_id: str, versions: Collection[int] | None = None) -> Order:
        """Assign the order, if it has one of these *versions*; insert its stops where they add least driving.

        Raises NotFound, StaleVersion, InvalidFields for an unknown driver, ForbiddenTransition once it has
        ended.
        """
        async with self._database.transaction() as connection:
            before = require_order(await rows.lock_order(connection, order_id))
            check_version(before, versions)
            if before.status not in OPEN:
                check_transition(before.status, OrderStatus.ASSIGNED)
            if before.driver_id == driver_id:
                return before
            order = await steps.assign_to(connection, before, driver_id, self._now())
        await self.notify(OrderChange(order_id, drivers_of(before, order), appended_to=driver_id))
        return order

    async def start_attempt(self, connection: Connection, order_id: str, new: NewAttempt) -> Order:
        """Start a further attempt inside the caller's transaction. Raises what `restart` raises."""
        return await restart(connection, order_id, new, self._now())

    async def unassign(self, order_id: str) -> Order:
        """Set the order back to `created`. Raises NotFound, ForbiddenTransition unless it is assigned."""
        return await self.set_status(order_id, OrderStatus.CREATED)

    async def set_status(
        self,
        order_id: str,
        status: OrderStatus,
        *,
        outcome: Outcome | None = None,
        reason: str | None = None,
        at: datetime | None = None,
        by_driver: str | None = None,
        clock_ahead: timedelta = timedelta(0),
        versions: Collection[int] | None = None,
    ) -> Order:
        """Set the status that a merchant or (*by_driver*) the order's own driver reports.

        A merchant's *at* must lie between the order's previous status and now. A driver's is corrected by
        *clock_ahead* and clamped to that range. A driver's repeated report is idempotent.
        Raises NotFound (also for another driver's order), StaleVersion, InvalidFields, ForbiddenTransition.
        """
        report = ReportedStatus(status, outcome, reason, at, by_driver, clock_ahead)
        async with self._database.transaction() as connection:
            before = require_order(await rows.lock_order(connection, order_id), by_driver)
            check_version(before, versions)
            order = await apply_report(connection, before, report, self._now())
        if order is not before:
            await self.notify(OrderChange(order_id, drivers_of(before)))
        return order

    async def erase_customer(self, order_id: str) -> None:
        """Erase the customer's data of an order that has ended. Idempotent. Raises NotFound, Conflict."""
        async with self._database.transaction() as connection:
            order = require_order(await rows.lock_order(connection, order_id))
            if order.status in OPEN:
                raise Conflict(
                    f"The order is {order.status}. The customer's data can be erased once it is delivered, "
                    "failed or cancelled."
                )
            await erase_customers(connection, [order_id], self._now())
            await erase_answers_about(connection, order_id, order.created_at)

    # --- notes and links

    async def add_note(
        self, order_id: str, sender: Sender, text: str, *, by_driver: str | None = None
    ) -> None:
        """Store a note and deliver it to the other side. Raises the same as insert_note."""
        async with self._database.transaction() as connection:
            change = await self.insert_note(connection, order_id, sender, text, by_driver=by_driver)
        await self.notify(change)

    async def insert_note(
        self,
        connection: Connection,
        order_id: str,
        sender: Sender,
        text: str,
        *,
        by_driver: str | None = None,
    ) -> OrderChange:
        """Insert a note inside the caller's transaction; return the change to notify after it.

        Raises NotFound, InvalidFields, Conflict once the order has ended or has its maximum of notes.
        """
        note = Note(sender, require_text("text", text, NOTE_BYTES), self._now())
        order = require_order(await rows.lock_order(connection, order_id), by_driver)
        if order.status not in OPEN:
            raise Conflict(f"The order is {order.status}; notes can be sent only while it is open.")
        if await count_notes(connection, order_id, sender) >= NOTES:
            raise Conflict(f"An order takes at most {NOTES} notes from each side.")
        detail = {"from": sender, "text": note.text}
        if sender == "driver" and order.driver_id is not None:
            detail["driver_id"] = order.driver_id
        await timeline.insert_timeline(connection, order_id, note.at, "message", detail)
        return OrderChange(order_id, drivers_of(order), note)

    async def add_link(
        self, connection: Connection, order_id: str, expires_at: datetime | None
    ) -> tuple[Order, Link]:
        """Add a tracking link inside the caller's transaction. Raises NotFound, InvalidFields."""
        now = self._now()
        if expires_at is not None and expires_at <= now:
            raise InvalidFields([FieldError("expires_at", "must be in the future")])
        order = require_order(await rows.lock_order(connection, order_id))
        link = Link(id=new_id("lnk"), order_id=order_id, created_at=now, expires_at=expires_at)
        await link_rows.insert_links(connection, [link])
        await timeline.insert_timeline(connection, order_id, now, "link_created", {"link_id": link.id})
        return order, link

    async def revoke_link(self, order_id: str, link_id: str) -> bool:
        """Revoke a tracking link; return False if it was revoked before. Raises NotFound."""
        now = self._now()
        async with self._database.transaction() as connection:
            revoked = await link_rows.revoke_link(connection, link_id, order_id, now)
            if revoked:
                detail = {"link_id": link_id}
                await timeline.insert_timeline(connection, order_id, now, "link_revoked", detail)
            elif all(link.id != link_id for link in await link_rows.select_links(connection, order_id)):
                raise NotFound("tracking link")
        return revoked

    # --- drivers

    async def set_stops(self, driver_id: str, sequence: Sequence[StopKey]) -> None:
        """Set the driver's stop sequence: each remaining stop once, a pickup before its dropoff.

        Raises NotFound for an unknown driver, InvalidFields that names missing, foreign and misplaced stops.
        """
        await self._stops.set(driver_id, sequence)
        await self._notify_resequenced(driver_id, sequence)

    async def optimize_stops(self, driver_id: str) -> None:
        """Set the stop sequence that takes least driving.

        Raises NotFound, NoSequence, RouterUnavailable, Conflict if the stops changed in the meantime.
        """
        await self._notify_resequenced(driver_id, await self._stops.optimize(driver_id, self._now()))

    async def _notify_resequenced(self, driver_id: str, sequence: Sequence[StopKey]) -> None:
        """Notify once: one change of the driver's stops updates the driver and all watched orders."""
        if sequence:
            await self.notify(OrderChange(sequence[-1][0], (driver_id,)))

    async def note_milestone(self, order_id: str, kind: Milestone, at: datetime) -> bool:
        """Store a milestone once; return False if it is stored already or the order had ended by then."""
        async with self._database.transaction() as connection:
            return await insert_milestone(connection, order_id, kind, at)

    async def release_driver(self, driver_id: str) -> None:
        """Unassign all orders of a driver who will be erased; those already picked up fail."""
        for order in await self.of_driver(driver_id):
            if order.status is OrderStatus.PICKED_UP:
                await self.set_status(order.id, OrderStatus.FAILED, reason=ERASED)
            else:
                await self.unassign(order.id)
