"""ViewReceiver: keeps this node's channels up to date with the views of trips that other nodes own."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import batched
from time import monotonic
from typing import Final

from msgspec import UNSET

from tracker.domain.order import Order
from tracker.live.delivery.channel import Channel, SentTrail
from tracker.live.delivery.hub import Hub
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Views, ViewState, Watch, WatchedOrder
from tracker.messages import Update, rfc3339

ANSWER_WITHIN_S: Final = 1.0
SILENT_AFTER_S: Final = 2.0  # without an answer at the next poll; PostgreSQL decides
ASK_AGAIN_AFTER_S: Final = 7.0  # after a node was silent
ORDERS_PER_MESSAGE: Final = 200


class Followed:
    """An order whose views come from the owner of its trip."""

    __slots__ = ("answered", "asked_at", "driver_id", "known", "lines", "node", "version")

    def __init__(self, order: Order, node: str) -> None:
        self.driver_id, self.version, self.node = order.driver_id or "", order.version, node
        self.known: tuple[str, int] = ("", 0)  # tag and revision of the owner's channel
        self.lines: tuple[int, int] = (-1, -1)  # revisions of route and trail
        self.asked_at: float | None = None  # by `monotonic`; None: the node has said something since
        self.answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def answer(self, *, is_there: bool) -> None:
        self.asked_at = None
        if not self.answered.done():
            self.answered.set_result(is_there)


class ViewReceiver:
    """Asks owners for views, applies what they send, and renews the request every three seconds.

    The bus may lose messages. Each state is whole but for the lines, which carry their revision; a state with
    an unknown line is asked for again.
    """

    def __init__(self, hub: Hub, leases: Leases, exchange: Exchange, now: Callable[[], datetime]) -> None:
        self._hub, self._leases, self._exchange, self._now = hub, leases, exchange, now
        self._followed: dict[str, Followed] = {}
        self._silent_until: dict[str, float] = {}  # when to ask a node again, by `monotonic`

    @property
    def is_cut_off(self) -> bool:
        """Whether this node must not compute views, because others may have changed what they show."""
        return self._leases.is_cut_off

    def follows(self, order_id: str, node: str | None = None) -> bool:
        """Whether the order's views come from another node, or from this *node*."""
        followed = self._followed.get(order_id)
        return followed is not None and node in {None, followed.node}

    async def follow(self, order: Order) -> bool:
        """Bring the order's channel up to date by the owner of its trip, and keep it so.

        False: this node or no node owns the trip, or the owner does not answer. Raises StorageUnavailable.
        """
        followed = self._followed.get(order.id)
        if followed is not None and followed.driver_id == order.driver_id and followed.answered.done():
            followed.version = max(followed.version, order.version)
            return True
        if followed is None or followed.driver_id != order.driver_id:
            owner = None if order.driver_id is None else await self._leases.owner(order.driver_id)
            if owner is None or not self._may_answer(owner.node):
                self.stop(order.id)
                return False
            followed = self._followed[order.id] = Followed(order, owner.node)
            self._ask(owner.node, [(order.id, followed)])
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                is_there = await asyncio.shield(followed.answered)
        except TimeoutError:
            is_there = False
            self._silent_until[followed.node] = monotonic() + ASK_AGAIN_AFTER_S
        if not is_there and self._followed.get(order.id) is followed:
            self.stop(order.id)
        return is_there

    def _may_answer(self, node: str) -> bool:
        """Whether to ask a node: the bus is there, and the node has not just left a question unanswered."""
        return self._exchange.bus.connected and self._silent_until.get(node, 0.0) < monotonic()

    def ask_again(self) -> None:
        """Ask nodes again that did not answer."""
        self._silent_until.clear()

    def stop(self, order_id: str) -> None:
        """Compute the order's views here from now on."""
        followed = self._followed.pop(order_id, None)
        if followed is not None and not followed.answered.done():
            followed.answered.set_result(False)
        if (channel := self._hub.channel(order_id)) is not None:
            channel.follows = False

    def stop_driver(self, driver_id: str) -> None:
        """Compute the views of all the driver's orders here from now on."""
        for order_id in [one for one, followed in self._followed.items() if followed.driver_id == driver_id]:
            self.stop(order_id)

    def take(self, views: Views) -> list[str]:
        """Apply an owner's message; return the orders whose trip it does not own."""
        self._silent_until.pop(views.node, None)
        for state in views.states:
            followed = self._followed.get(state.order_id)
            if followed is not None and followed.node == views.node:
                self._apply(state, followed)
        for order_id in views.current:
            followed = self._followed.get(order_id)
            if followed is not None and followed.node == views.node:
                followed.answer(is_there=True)
        gone = [one for one in views.not_owned if self._is_from(one, views.node)]
        for order_id in gone:
            self._followed[order_id].answer(is_there=False)
            self.stop(order_id)
        return gone

    def _is_from(self, order_id: str, node: str) -> bool:
        followed = self._followed.get(order_id)
        return followed is not None and followed.node == node

    def _apply(self, state: ViewState, followed: Followed) -> None:
        channel = self._hub.channel(state.order_id)
        if channel is None:
            self.stop(state.order_id)
            return
        is_same = followed.known[0] == state.tag
        is_older = is_same and state.revision < followed.known[1]
        if is_older or state.driver_id != followed.driver_id or state.version < followed.version:
            return  # of a former driver, or from before a change that this node knows
        lines = (state.route_at, state.trail_at)
        sent_lines = (state.fields.route, state.fields.trail)
        unknown = [
            sent is UNSET and not (is_same and known == at)
            for sent, known, at in zip(sent_lines, followed.lines, lines, strict=True)
        ]
        if any(unknown):
            followed.known = ("", 0)
            self._ask(followed.node, [(state.order_id, followed)])
            return
        followed.known, followed.lines = (state.tag, state.revision), lines
        _publish(channel, state.fields, rfc3339(self._now()))
        followed.answer(is_there=True)

    def refresh(self) -> list[str]:
        """Renew the requests; return the orders whose owner is silent. They are computed here from now on."""
        by_node: dict[str, list[tuple[str, Followed]]] = {}
        silent, now = [], monotonic()
        for order_id, followed in list(self._followed.items()):
            if not self._hub.has_subscriptions(order_id):
                self.stop(order_id)
            elif followed.asked_at is not None and now - followed.asked_at > SILENT_AFTER_S:
                self._silent_until[followed.node] = now + ASK_AGAIN_AFTER_S
                self.stop(order_id)
                silent.append(order_id)
            else:
                by_node.setdefault(followed.node, []).append((order_id, followed))
        for node, orders in by_node.items():
            for some in batched(orders, ORDERS_PER_MESSAGE):
                self._ask(node, some)
        return silent

    def _ask(self, node: str, orders: Sequence[tuple[str, Followed]]) -> None:
        wanted, now = [WatchedOrder(id_, one.driver_id, *one.known) for id_, one in orders], monotonic()
        for _, one in orders:
            one.asked_at = one.asked_at or now
        self._exchange.publish_node(node, Watch(self._exchange.node, wanted))


def _publish(channel: Channel, fields: Update, now: str) -> None:
    """Publish what an owner has sent to this node's watchers."""
    names = [name for name in fields.__struct_fields__ if name not in {"cursor", "now"}]
    sent = {name: value for name in names if (value := getattr(fields, name)) is not UNSET}
    channel.follows, channel.remote, channel.view, channel.trail = True, None, None, SentTrail()
    channel.publish({**channel.state, **sent}, now)
