"""LiveViews: the customers' views on this node, from the subscription to the end of the order or link."""

from collections.abc import Callable
from datetime import datetime

from tracker.database import Database
from tracker.domain.link import Link
from tracker.domain.order import Order
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView, view_without_trip
from tracker.eta.feedback import EtaFeedback
from tracker.live.hub import Hub
from tracker.live.order_cache import OrderCache
from tracker.live.publisher import Publisher
from tracker.live.subscription import Outgoing, Subscription
from tracker.live.trips import LiveTrips
from tracker.messages import Snapshot, rfc3339


class LiveViews:
    """Connects the live trips to the hub; everything published about a trip passes through it."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        trips: LiveTrips,
        feedback: EtaFeedback,
        now: Callable[[], datetime],
    ) -> None:
        self._hub, self._trips, self._feedback = hub, trips, feedback
        self._now = now
        self._publisher = Publisher(hub, self._log_forecast)
        self._cache = OrderCache(database, hub)

    # --- orders and links

    async def order(self, order_id: str) -> Order:
        """Return an order, from the cache if customers watch it. Raises NotFound."""
        return await self._cache.order(order_id)

    async def order_changed(self, order_id: str) -> Order:
        """Read the order's newest version into the cache. Raises NotFound."""
        return await self._cache.reread(order_id)

    def forget(self, order_id: str) -> None:
        """Remove the order from the cache; the next customer causes a read."""
        self._cache.forget(order_id)

    async def notes_erased(self, order_id: str) -> None:
        """Delete the order's notes from memory, read it again and publish it.

        Raises NotFound, StorageUnavailable.
        """
        if self._hub.has_channel(order_id):
            self._hub.forget_notes(order_id)
            await self._cache.reread(order_id)
            await self.publish_order(order_id)

    async def link(self, link_id: str) -> Link | None:
        """Return a link, from the cache if it was opened recently."""
        return await self._cache.link(link_id)

    def link_revoked(self, link_id: str) -> None:
        """End every live view that was opened with this link."""
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
            view, now = await self._view(order_id), self._now()
        except BaseException:
            self.unsubscribe(order_id, subscription)
            raise
        self._publisher.refresh(view, now)
        replay = (
            None if view.visibility == "ended" else self._hub.updates_since(order_id, cursor, rfc3339(now))
        )
        subscription.start(self._hub.cursor(order_id), notes_too=replay is not None)
        if replay is None:
            return subscription, [Outgoing(self._hub.snapshot(order_id, rfc3339(now)))]
        return subscription, replay

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        self._hub.unsubscribe(order_id, subscription)

    async def snapshot(self, order_id: str) -> Snapshot:
        """Return the current state without subscribing. Raises NotFound."""
        self._hub.open(order_id)
        view, now = await self._view(order_id), self._now()
        self._hub.open(order_id)
        self._publisher.refresh(view, now)
        return self._hub.snapshot(order_id, rfc3339(now))

    async def _view(self, order_id: str) -> CustomerView:
        """Return what the customer may see of the order's newest version."""
        while True:
            order = await self._cache.order(order_id)
            if order.driver_id is None or order.ended_at is not None:
                return view_without_trip(order)
            live = await self._trips.of(order.driver_id)
            if self._cache.is_newest(order):
                return (
                    live.trip.view(order_id, self._now())
                    if order_id in live.trip.orders
                    else view_without_trip(order)
                )

    # --- publishing

    async def publish_order(self, order_id: str) -> CustomerView:
        """Publish a changed order to its watchers and return the view."""
        view, now = await self._view(order_id), self._now()
        self._publisher.publish(view, now)
        return view

    def publish(self, trip: Trip) -> None:
        """Publish the views of all watched orders of a trip."""
        now = self._now()
        for order_id in trip.orders:
            if self._hub.is_watched(order_id):
                self._publisher.publish(trip.view(order_id, now), now)

    def review(self, trip: Trip, now: datetime) -> bool:
        """Publish what time alone has changed; return whether a customer watches."""
        watched = [order_id for order_id in trip.orders if self._hub.is_watched(order_id)]
        for order_id in watched:
            self._publisher.review(trip, order_id, now)
        return bool(watched)

    def has_channel(self, trip: Trip) -> bool:
        """Whether a customer watches an order of the trip, or may reconnect to it."""
        return any(self._hub.has_channel(order_id) for order_id in trip.orders)

    def prune(self) -> None:
        """Remove the orders whose channels have expired."""
        for order_id in self._hub.prune():
            self._publisher.forget(order_id)
            self._cache.forget(order_id)

    def _log_forecast(self, view: CustomerView) -> None:
        live = self._trips.get(view.order.driver_id or "")
        if live is not None and view.eta is not None:
            self._feedback.record_forecast(live.trip, view.order.id, view.eta)
