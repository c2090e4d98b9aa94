"""LiveViews: the customers' views on this node, from the subscription to the end of the order or link."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Final

from tracker.database import Database
from tracker.domain.link import Link
from tracker.domain.order import Order
from tracker.domain.trip import Trip
from tracker.domain.view import Ending, view_without_trip
from tracker.errors import NotFound, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.delivery.channel import Channel
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.order_cache import OrderCache
from tracker.live.delivery.publisher import Publisher
from tracker.live.delivery.subscription import Outgoing, Subscription
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.messages import LinkRevoked, NotesErased
from tracker.live.nodes.view_receiver import ViewReceiver
from tracker.messages import Snapshot, rfc3339


class Elsewhere(Enum):
    """That another node owns the trip and sends its views."""

    ELSEWHERE = 0


ELSEWHERE: Final = Elsewhere.ELSEWHERE


class LiveViews:
    """Opens live views of orders, and caches the orders and links that customers watch."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        hub: Hub,
        trips: LiveTrips,
        publisher: Publisher,
        feedback: EtaFeedback,
        exchange: Exchange,
        receiver: ViewReceiver,
        now: Callable[[], datetime],
    ) -> None:
        self._hub, self._trips, self._publisher = hub, trips, publisher
        self._feedback, self._now = feedback, now
        self._exchange, self._receiver = exchange, receiver
        self._cache = OrderCache(database, hub)

    # --- orders and links

    async def order(self, order_id: str) -> Order:
        """Return an order, from the cache if customers watch it. Raises NotFound."""
        return await self._cache.order(order_id)

    async def order_changed(self, order_id: str) -> Order:
        """Read the order's newest version into the cache. Raises NotFound."""
        return await self._cache.reread(order_id)

    def cached(self, order_id: str) -> Order | None:
        """Return an order that customers of this node watch; None if it is not in memory."""
        return self._cache.cached(order_id)

    def watched_orders_of(self, driver_id: str) -> list[str]:
        """Return the driver's orders that customers of this node watch."""
        return [one for one in self._cache.of_driver(driver_id) if self._hub.has_subscriptions(one)]

    def forget(self, order_id: str) -> None:
        """Remove the order from the cache; the next customer causes a read."""
        self._cache.forget(order_id)

    async def notes_erased(self, order_id: str) -> None:
        """Drop notes and customer data from the memory of every node that were erased from the database."""
        self._exchange.publish_order(order_id, NotesErased(order_id))
        await self.drop_notes(order_id)

    async def drop_notes(self, order_id: str) -> None:
        """Drop notes and customer data from memory that were erased from the database."""
        if (channel := self._hub.channel(order_id)) is None:
            return
        channel.notes.clear()
        try:
            await self._cache.reread(order_id)
            await self.publish_order(order_id)
        except (StorageUnavailable, NotFound):
            self._cache.forget(order_id)

    async def link(self, link_id: str) -> Link | None:
        """Return a link, from the cache if it was opened recently."""
        return await self._cache.link(link_id)

    def link_revoked(self, order_id: str, link_id: str) -> None:
        """End every live view that was opened with this link, on every node."""
        self._exchange.publish_order(order_id, LinkRevoked(link_id))
        self.end_link(link_id)

    def end_link(self, link_id: str) -> None:
        """End the live views of this node that were opened with this link."""
        self._cache.link_changed(link_id)
        self._hub.revoke(link_id)

    # --- subscribing

    async def subscribe(
        self, order_id: str, link_id: str, *, cursor: str = "", address: str = ""
    ) -> tuple[Subscription, list[Outgoing]]:
        """Open a live view and return the messages to send first.

        They hold what changed since *cursor*, or one snapshot. Later updates arrive in the subscription.
        Raises NotFound, TooManyConnections.
        """
        subscription = self._hub.subscribe(order_id, link_id, address)
        try:
            channel = await self._open(order_id)
        except BaseException:
            self.unsubscribe(order_id, subscription)
            raise
        now = rfc3339(self._now())
        replay = channel.updates_since(cursor, now)
        subscription.start(channel.cursor, notes_too=replay is not None)
        return subscription, [Outgoing(channel.snapshot(now))] if replay is None else replay

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        self._hub.unsubscribe(order_id, subscription)

    async def snapshot(self, order_id: str) -> Snapshot:
        """Return the current state without subscribing. Raises NotFound."""
        self._hub.open(order_id)  # so that the order is cached
        return (await self._open(order_id)).snapshot(rfc3339(self._now()))

    async def _open(self, order_id: str) -> Channel:
        """Return the order's channel, brought up to date."""
        await self._update(order_id)
        return self._hub.open(order_id)

    async def _update(self, order_id: str) -> None:
        """Bring the order's channel up to date: by its trip, by the node that owns that, or by its ending.

        Raises NotFound, StorageUnavailable.
        """
        if self._receiver.is_cut_off:
            raise StorageUnavailable("This node is cut off from the others; reconnect.")
        while True:
            order = await self._cache.order(order_id)
            found: Trip | Ending | Elsewhere | None = None
            if order.ended_at is not None:
                found = await self._cache.ending(order)
            elif order.driver_id is not None:
                found = await self._trip_of(order)
            if self._cache.is_newest(order):
                break
        if found is not ELSEWHERE:
            self._receiver.stop(order_id)
            self._refresh(order, found)

    async def _trip_of(self, order: Order) -> "Trip | Elsewhere | None":
        """Return the order's trip, which becomes live, unless another node owns it."""
        assert order.driver_id is not None
        if await self._receiver.follow(order):
            return ELSEWHERE
        trip = (await self._trips.of(order.driver_id)).trip
        return trip if order.id in trip.orders else None

    def _refresh(self, order: Order, found: Trip | Ending | None) -> None:
        now = self._now()
        if isinstance(found, Trip):
            self._feedback.record_views(found, self._publisher.refresh(found.view(order.id, now), now))
        else:
            self._publisher.refresh(view_without_trip(order, found), now)

    # --- publishing

    async def publish_order(self, order_id: str) -> None:
        """Publish a changed order to its watchers; the trip that has it becomes live."""
        if self._hub.is_watched([order_id]):
            await self._update(order_id)
            return
        order = await self._cache.order(order_id)
        if order.driver_id is not None and order.ended_at is None:
            await self._trips.of(order.driver_id)

    def prune(self) -> None:
        """Remove the orders whose channels have expired from the cache."""
        for order_id in self._hub.prune():
            self._cache.forget(order_id)
