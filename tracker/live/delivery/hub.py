"""Hub: the channels of this node, from each watched order to its subscriptions."""

from collections import Counter
from collections.abc import Iterable
from time import monotonic
from typing import Final

from tracker.errors import TooManyConnections
from tracker.live.delivery.channel import Channel
from tracker.live.delivery.cursors import CursorTags
from tracker.live.delivery.subscription import Outgoing, Subscription
from tracker.messages import End, Heartbeat

CHANNEL_KEPT_S: Final = 120.0  # after the last customer has left, for clients that reconnect
CHANNELS_KEPT: Final = 1_000  # of orders without a customer; the longest idle one goes first
VIEWS_PER_LINK: Final = 50  # concurrent live views
VIEWS_PER_ADDRESS: Final = 1_000


class Hub:
    """The channels of this node. All methods are synchronous, so no update is lost after a snapshot.

    A cursor from another order or an earlier process, or a forged one, counts as absent.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._cursor_tags = CursorTags(key)
        self._channels: dict[str, Channel] = {}
        self._idle_since: dict[str, float] = {}  # when channels lost their last customer; the oldest first
        self._addresses: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def channel(self, order_id: str) -> Channel | None:
        """Return the order's channel; None if no customer has watched the order in the last two minutes."""
        return self._channels.get(order_id)

    def has_channel(self, order_ids: Iterable[str]) -> bool:
        """Whether a customer watches one of the orders, or may reconnect to it."""
        return any(order_id in self._channels for order_id in order_ids)

    def is_watched(self, order_ids: Iterable[str]) -> bool:
        """Whether a customer of any node watches one of the orders."""
        channels = (self._channels.get(order_id) for order_id in order_ids)
        return any(channel is not None and channel.is_watched for channel in channels)

    def has_subscriptions(self, order_id: str) -> bool:
        """Whether a customer of this node watches the order."""
        channel = self._channels.get(order_id)
        return channel is not None and bool(channel.subscriptions)

    def links(self) -> list[str]:
        """Return the links with open views on this node."""
        return list({one.link_id for one in self.subscriptions()})

    def watched(self) -> list[str]:
        """Return the orders that customers of this node watch."""
        return [order_id for order_id, channel in self._channels.items() if channel.subscriptions]

    def issued(self, order_id: str, cursor: str) -> bool:
        """Whether this service issued the cursor for this order, even before a restart."""
        return self._cursor_tags.issued(order_id, cursor)

    # --- subscriptions

    def open(self, order_id: str) -> Channel:
        """Open the order's channel, or keep it open, so that its cursors stay valid."""
        channel = self._channels.get(order_id)
        if channel is None:
            channel = self._channels[order_id] = Channel(self._cursor_tags.create(order_id))
        if not channel.subscriptions:
            self._idle_since.pop(order_id, None)
            self._idle_since[order_id] = monotonic()
        return channel

    def subscribe(self, order_id: str, link_id: str, address: str = "") -> Subscription:
        """Add a subscription. Take the snapshot afterwards: before it, updates in between would be lost.

        Raises TooManyConnections.
        """
        if address and self._addresses[address] >= VIEWS_PER_ADDRESS:
            raise TooManyConnections(f"At most {VIEWS_PER_ADDRESS} live views at a time from one address.")
        if sum(one.link_id == link_id for one in self._subscriptions(order_id)) >= VIEWS_PER_LINK:
            raise TooManyConnections(f"At most {VIEWS_PER_LINK} live views at a time of one tracking link.")
        subscription = Subscription(link_id, address)
        self.open(order_id).subscriptions.add(subscription)
        self._idle_since.pop(order_id, None)
        self._addresses[address] += 1
        self._count += 1
        return subscription

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        """Remove a subscription; the channel stays open for CHANNEL_KEPT_S."""
        channel = self._channels.get(order_id)
        if channel is None or subscription not in channel.subscriptions:
            return
        channel.subscriptions.remove(subscription)
        self._count -= 1
        self._addresses[subscription.address] -= 1
        if not self._addresses[subscription.address]:
            del self._addresses[subscription.address]
        self.open(order_id)

    def prune(self) -> list[str]:
        """Forgets orders that nobody has watched for a while, or that are too many; says which."""
        oldest = monotonic() - CHANNEL_KEPT_S
        gone: list[str] = []
        for order_id, left_at in self._idle_since.items():
            if left_at > oldest and len(self._idle_since) - len(gone) <= CHANNELS_KEPT:
                break
            gone.append(order_id)
        for order_id in gone:
            del self._idle_since[order_id], self._channels[order_id]
        return gone

    # --- messages

    def heartbeat(self, order_id: str, subscription: Subscription, now: str) -> Outgoing:
        """Return a heartbeat; its cursor covers only what the subscription has delivered."""
        channel = self._channels.get(order_id)
        cursor = channel.cursor if channel is not None and subscription.is_empty else subscription.cursor
        return Outgoing(Heartbeat(cursor, now))

    def finish(self, order_id: str, end: End) -> None:
        """End every subscription of an order that has ended."""
        for subscription in self._subscriptions(order_id):
            subscription.finish(end)

    def revoke(self, link_id: str) -> None:
        """End every subscription of a revoked link."""
        for subscription in self.subscriptions():
            if subscription.link_id == link_id:
                subscription.finish(End("revoked"))

    def restart(self) -> None:
        """Close every subscription, because this node is about to stop."""
        for subscription in self.subscriptions():
            subscription.restart()

    def subscriptions(self) -> list[Subscription]:
        """Return the subscriptions of all orders."""
        return [one for channel in self._channels.values() for one in channel.subscriptions]

    def _subscriptions(self, order_id: str) -> list[Subscription]:
        channel = self._channels.get(order_id)
        return list(channel.subscriptions) if channel else []
