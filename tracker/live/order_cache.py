"""Remembered: the orders and links that customers look at, so that looking again reads nothing."""

from tracker.database import Database, links, orders
from tracker.domain.link import Link
from tracker.domain.order import Order
from tracker.errors import NotFound
from tracker.live.hub import Hub


class OrderCache:
    """Keeps what the hub knows, in its newest version; everything else is read each time.

    A read that was under way while something changed is not kept: it may be older than the change.
    """

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database, self._hub = database, hub
        self._orders: dict[str, Order] = {}
        self._links: dict[str, Link] = {}
        self._changes = 0  # reads that began before one are not kept

    async def order(self, order_id: str) -> Order:
        """Raises NotFound."""
        return self._orders.get(order_id) or await self.reread(order_id)

    async def reread(self, order_id: str) -> Order:
        """As the database has it now, or somebody else has read it since. Raises NotFound."""
        order = await orders.select_order(self._database, order_id)
        if order is None:
            raise NotFound("order")
        kept = self._orders.get(order_id)
        if kept is not None and kept.version >= order.version:
            return kept
        if self._hub.has_channel(order_id):
            self._orders[order_id] = order
        return order

    def is_newest(self, order: Order) -> bool:
        """Whether no newer version is known."""
        kept = self._orders.get(order.id)
        return kept is None or kept.version <= order.version

    async def link(self, link_id: str) -> Link | None:
        """As it was made, or revoked; how often it was opened may be out of date."""
        if (kept := self._links.get(link_id)) is not None:
            return kept
        begun = self._changes
        link = await links.select_link(self._database, link_id)
        if link is not None and begun == self._changes:
            self._hub.open(link.order_id)  # from here on the order is kept, too: it is asked for next
            self._links[link_id] = link
        return link

    def link_changed(self, link_id: str) -> None:
        self._changes += 1
        self._links.pop(link_id, None)

    def forget(self, order_id: str) -> None:
        """The order, and its links."""
        self._orders.pop(order_id, None)
        for link_id in [link.id for link in self._links.values() if link.order_id == order_id]:
            del self._links[link_id]
