"""Changes: what a committed change means for the trips, drivers and customers of this node."""

from contextlib import suppress
from datetime import datetime

from tracker.database.plans import Plan
from tracker.domain.order import Note, Order
from tracker.errors import NotFound, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.delivery.hub import Hub
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import LiveTrip
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.leases import Leases
from tracker.live.views import LiveViews
from tracker.messages import AssignedOrder, End, NoteToDriver, Orders, rfc3339
from tracker.messages.conversions import assigned_order
from tracker.orders.changes import OrderChange


class Changes:
    """Applies changes of orders to this node, whichever node has committed them."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        trips: LiveTrips,
        views: LiveViews,
        hub: Hub,
        connections: DriverConnections,
        leases: Leases,
        milestones: MilestoneWriter,
        feedback: EtaFeedback,
    ) -> None:
        self._trips, self._views, self._hub, self._connections = trips, views, hub, connections
        self._leases, self._milestones, self._feedback = leases, milestones, feedback
        self._undelivered: list[OrderChange] = []  # committed, not yet published
        self._sent: dict[str, Orders] = {}  # what connected drivers were sent last

    async def apply(self, change: OrderChange, *, from_here: bool = True) -> None:
        """Send drivers their orders, and customers their order's new state.

        *from_here*: this node has committed the change. If the database fails meanwhile, show nothing of
        these drivers until it is back, then retry. Raises NotFound, StorageUnavailable.
        """
        if not from_here and not self._concerns(change):
            return
        try:
            await self._apply(change, from_here=from_here)
        except StorageUnavailable:
            for driver_id in change.driver_ids:
                self._trips.reload(driver_id)
            self._views.forget(change.order_id)
            self._undelivered.append(change)
            raise

    async def retry(self) -> None:
        """Apply again what the database prevented."""
        undelivered, self._undelivered = self._undelivered, []
        for change in undelivered:
            with suppress(StorageUnavailable, NotFound):
                await self.apply(change)

    def _concerns(self, change: OrderChange) -> bool:
        if self._hub.channel(change.order_id) is not None:
            return True
        return any(one in self._connections or self._trips.get(one) is not None for one in change.driver_ids)

    async def _apply(self, change: OrderChange, *, from_here: bool) -> None:
        order = await self._views.order_changed(change.order_id)
        found = [self._trips.get(driver_id) for driver_id in change.driver_ids]
        lives = [live for live in found if live is not None]
        for live in lives:  # at once, so that the customer sees nothing more of former drivers
            if live.trip.driver.id != order.driver_id or order.ended_at is not None:
                live.trip.release(order.id)
        learning = [live for live in lives if await self._learns(live, from_here=from_here)]
        await self._feedback.order_changed(order, [live.trip for live in learning])
        self._milestones.order_changed(order, learning)
        replanned = [await self.replan(driver_id) for driver_id in change.driver_ids]
        if change.note is not None:
            self._deliver_note(order, change.note)
        if self._is_published_elsewhere(order) or not any(
            live is not None and order.id in live.trip.orders for live in replanned
        ):
            await self._views.publish_order(order.id)  # no trip of this node has published it
        if order.ended_at is not None:
            self._hub.finish(order.id, End(order.status.value))  # type: ignore[arg-type]  # one of the ended

    def _is_published_elsewhere(self, order: Order) -> bool:
        channel = self._hub.channel(order.id)
        return channel is not None and channel.follows

    async def _learns(self, live: LiveTrip, *, from_here: bool) -> bool:
        """Whether this node learns from the change: the owner does, or the committer if there is none."""
        driver_id = live.trip.driver.id
        if self._leases.owns(driver_id):
            return True
        return from_here and await self._leases.owner(driver_id) is None

    def _deliver_note(self, order: Order, note: Note) -> None:
        if note.sender == "driver":
            self.deliver_to_customers(order.id, note.text, note.at)
        else:
            self._connections.push(order.driver_id or "", NoteToDriver(order.id, note.text, rfc3339(note.at)))

    def deliver_to_customers(self, order_id: str, text: str, at: datetime) -> None:
        """Send a driver's note to the customers of this node, unless they have it."""
        if (channel := self._hub.channel(order_id)) is not None:
            channel.note(text, rfc3339(at))

    async def replan(self, driver_id: str, *, if_changed: bool = False) -> LiveTrip | None:
        """Follow and send the driver's new plan; return their trip if it is live.

        With *if_changed*, send only orders that differ from those sent last.
        """
        plan = await self._trips.replan(driver_id, is_connected=lambda: driver_id in self._connections)
        if plan is not None and driver_id in self._connections:
            message = Orders(assigned_orders(plan))
            if not if_changed or self._sent.get(driver_id) != message:
                self._connections.push(driver_id, message)
            self._sent[driver_id] = message
        return self._trips.get(driver_id)

    def forget_gone(self) -> None:
        """Forget what was sent to drivers who are no longer connected."""
        for driver_id in [one for one in self._sent if one not in self._connections]:
            del self._sent[driver_id]


def assigned_orders(plan: Plan) -> list[AssignedOrder]:
    """Return the orders of a plan as their driver sees them."""
    return [assigned_order(order, plan.notes.get(order.id, ())) for order in plan.orders]
