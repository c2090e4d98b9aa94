"""LiveViews: what customers look at on this node, from the first look to the end of the order or the link."""

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
    """Joins the live trips to the hub; whatever is told of a trip goes through here."""

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
        self._publisher = Publisher(hub, self._shown)
        self._cache = OrderCache(database, hub)

    # --- orders and links

    async def order(self, order_id: str) -> Order:
        """Without a read where customers look at it. NotFound."""
        return await self._cache.order(order_id)

    async def order_changed(self, order_id: str) -> Order:
        """Its newest version. NotFound."""
        return await self._cache.reread(order_id)

    def forget(self, order_id: str) -> None:
        """It is read anew when somebody looks at it."""
        self._cache.forget(order_id)

    async def notes_erased(self, order_id: str) -> None:
        """Forget the notes on an order, read it anew and tell its watchers. NotFound, StorageUnavailable."""
        if self._hub.has_channel(order_id):
            self._hub.forget_notes(order_id)
            await self._cache.reread(order_id)
            await self.tell(order_id)

    async def link(self, link_id: str) -> Link | None:
        """Without a read where somebody has come by it lately."""
        return await self._cache.link(link_id)

    def link_revoked(self, link_id: str) -> None:
        """Ends every live view that was opened with this link."""
        self._cache.link_changed(link_id)
        self._hub.revoke(link_id)

    # --- looking

    async def subscribe(
        self, order_id: str, link_id: str, *, cursor: str = "", address: str = ""
    ) -> tuple[Subscription, list[Outgoing]]:
        """Begins a live view: what to tell first, and the mailbox of what comes.

        First comes what was missed since the cursor, or a snapshot. NotFound, TooManyConnections.
        """
        subscription = self._hub.subscribe(order_id, link_id, address)
        try:
            view, now = await self._view(order_id), self._now()
        except BaseException:
            self.unsubscribe(order_id, subscription)
            raise
        self._publisher.refresh(view, now)
        missed = (
            None if view.visibility == "ended" else self._hub.updates_since(order_id, cursor, rfc3339(now))
        )
        subscription.start(self._hub.cursor(order_id), notes_too=missed is not None)
        if missed is None:
            return subscription, [Outgoing(self._hub.snapshot(order_id, rfc3339(now)))]
        return subscription, missed

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        self._hub.unsubscribe(order_id, subscription)

    async def snapshot(self, order_id: str) -> Snapshot:
        """One look, without watching. NotFound."""
        self._hub.open(order_id)
        view, now = await self._view(order_id), self._now()
        self._hub.open(order_id)
        self._publisher.refresh(view, now)
        return self._hub.snapshot(order_id, rfc3339(now))

    async def _view(self, order_id: str) -> CustomerView:
        """What the order's customer may see, of its newest version."""
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

    # --- telling

    async def tell(self, order_id: str) -> CustomerView:
        """The watchers of an order that has changed; what they may see now."""
        view, now = await self._view(order_id), self._now()
        self._publisher.publish(view, now)
        return view

    def publish(self, trip: Trip) -> None:
        """To the watchers of all its orders."""
        now = self._now()
        for order_id in trip.orders:
            if self._hub.is_watched(order_id):
                self._publisher.publish(trip.view(order_id, now), now)

    def look(self, trip: Trip, now: datetime) -> bool:
        """Tells what time alone has changed; whether anybody watches."""
        watched = [order_id for order_id in trip.orders if self._hub.is_watched(order_id)]
        for order_id in watched:
            self._publisher.look(trip, order_id, now)
        return bool(watched)

    def has_channel(self, trip: Trip) -> bool:
        """Whether somebody looks at it, or may come back to it."""
        return any(self._hub.has_channel(order_id) for order_id in trip.orders)

    def prune(self) -> None:
        """Forgets what nobody will come back to."""
        for order_id in self._hub.prune():
            self._publisher.forget(order_id)
            self._cache.forget(order_id)

    def _shown(self, view: CustomerView) -> None:
        live = self._trips.get(view.order.driver_id or "")
        if live is not None and view.eta is not None:
            self._feedback.shown(live.trip, view.order.id, view.eta)
