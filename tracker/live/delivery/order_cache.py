"""OrderCache: the orders and links that customers watch, so that opening them again needs no read."""

from tracker.database import Database, links, orders
from tracker.database.endings import select_ending
from tracker.domain.link import Link
from tracker.domain.order import Order
from tracker.domain.view import Ending
from tracker.errors import NotFound, StorageUnavailable
from tracker.live.delivery.hub import Hub


class OrderCache:
    """Caches the newest version of orders that have a channel in the hub; reads all others each time.

    A link that was being read while a link changed is not cached: it may be older than the change.
    """

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database, self._hub = database, hub
        self._orders: dict[str, Order] = {}
        self._endings: dict[str, Ending] = {}
        self._links: dict[str, Link] = {}
        self._changes = 0  # a read that began before a change is not cached

    async def order(self, order_id: str) -> Order:
        """Return an order, from the cache if possible. Raises NotFound."""
        return self._orders.get(order_id) or await self.reread(order_id)

    def cached(self, order_id: str) -> Order | None:
        """Return an order that customers watch; None if it is not cached."""
        return self._orders.get(order_id)

    def of_driver(self, driver_id: str) -> list[str]:
        """Return the cached orders of a driver."""
        return [one.id for one in self._orders.values() if one.driver_id == driver_id]

    async def reread(self, order_id: str) -> Order:
        """Read an order again, and return the newest version that was read. Raises NotFound."""
        order = await orders.select_order(self._database, order_id)
        if order is None:
            raise NotFound("order")
        self._endings.pop(order_id, None)
        cached = self._orders.get(order_id)
        if cached is not None and cached.version >= order.version:
            return cached
        if self._hub.channel(order_id) is not None:
            self._orders[order_id] = order
        return order

    async def ending(self, order: Order) -> Ending:
        """Return how an order ended, from the cache if possible; an empty ending if the database fails."""
        if (cached := self._endings.get(order.id)) is not None:
            return cached
        try:
            ending = await select_ending(self._database, order)
        except StorageUnavailable:
            return Ending()
        if order.id in self._orders and self.is_newest(order):
            self._endings[order.id] = ending
        return ending

    def is_newest(self, order: Order) -> bool:
        """Whether the cache holds no newer version."""
        cached = self._orders.get(order.id)
        return cached is None or cached.version <= order.version

    async def link(self, link_id: str) -> Link | None:
        """Return a link, or None if there is none; its number of openings may be out of date."""
        if (cached := self._links.get(link_id)) is not None:
            return cached
        changes_before = self._changes
        link = await links.select_link(self._database, link_id)
        if link is not None and changes_before == self._changes:
            self._hub.open(link.order_id)  # so that the order, which is read next, is cached too
            self._links[link_id] = link
        return link

    def link_changed(self, link_id: str) -> None:
        self._changes += 1
        self._links.pop(link_id, None)

    def forget(self, order_id: str) -> None:
        """Remove an order and its links."""
        self._orders.pop(order_id, None)
        self._endings.pop(order_id, None)
        for link_id in [link.id for link in self._links.values() if link.order_id == order_id]:
            del self._links[link_id]
