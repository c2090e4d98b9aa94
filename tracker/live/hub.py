"""Hub: the channels of this node, from each watched order to its subscriptions."""

import hmac
from collections import Counter, deque
from secrets import token_hex
from time import monotonic
from typing import Any, Final

from tracker.errors import TooManyConnections
from tracker.live.subscription import NOTES_KEPT, Outgoing, Subscription
from tracker.messages import CustomerState, End, Heartbeat, NoteToCustomer, Snapshot, Update

CHANNEL_KEPT_S: Final = (
    120.0  # after the last customer left, so that a reconnecting client gets what it missed
)
CHANNELS_KEPT: Final = 1_000  # of orders without a customer; the longest idle one goes first
VIEWS_PER_LINK: Final = 50  # concurrent live views
VIEWS_PER_ADDRESS: Final = 1_000
NONCE: Final = 6  # random characters in a cursor
SIGNATURE: Final = 12  # characters of a cursor that prove that this service issued it for this order
REVISION_DIGITS: Final = 15


class _Channel:
    """An order that customers of this node watch, or watched in the last two minutes."""

    __slots__ = ("changed", "notes", "revision", "state", "subscriptions", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.revision = 0
        self.state: dict[str, Any] = {}  # as published last; empty before the first time
        self.changed: dict[str, int] = {}  # the revision that last changed each field
        self.notes: deque[tuple[int, Outgoing]] = deque(maxlen=NOTES_KEPT)
        self.subscriptions: set[Subscription] = set()

    @property
    def cursor(self) -> str:
        return f"{self.tag}-{self.revision}"

    def advance(self) -> str:
        self.revision += 1
        return self.cursor

    def revision_of(self, cursor: str) -> int | None:
        """Return a cursor's revision, or None if this channel did not issue the cursor."""
        tag, _, digits = cursor.partition("-")
        if tag != self.tag or not (digits.isascii() and digits.isdecimal()) or len(digits) > REVISION_DIGITS:
            return None
        revision = int(digits)
        return revision if revision <= self.revision else None


class Hub:
    """The channels of this node. All methods are synchronous, so no update is lost after a snapshot.

    A cursor is `<tag>-<revision>`. The tag belongs to one order and one process, and is signed with *key*.
    A cursor from another order or an earlier process, or a forged one, counts as absent.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._channels: dict[str, _Channel] = {}
        self._idle_since: dict[
            str, float
        ] = {}  # channels without a customer, and since when; the oldest first
        self._addresses: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def watched_orders(self) -> list[str]:
        """Return the orders with at least one subscription."""
        return [order_id for order_id, channel in self._channels.items() if channel.subscriptions]

    def is_watched(self, order_id: str) -> bool:
        channel = self._channels.get(order_id)
        return channel is not None and bool(channel.subscriptions)

    def has_channel(self, order_id: str) -> bool:
        """Whether a customer watches the order, or did in the last two minutes."""
        return order_id in self._channels

    # --- subscriptions

    def open(self, order_id: str) -> None:
        """Open the order's channel, or keep it open, so that its cursors stay valid."""
        channel = self._channels.get(order_id)
        if channel is None:
            channel = self._channels[order_id] = _Channel(self._new_tag(order_id))
        if not channel.subscriptions:
            self._idle_since.pop(order_id, None)
            self._idle_since[order_id] = monotonic()

    def subscribe(self, order_id: str, link_id: str, address: str = "") -> Subscription:
        """Add a subscription. Take the snapshot afterwards: before it, updates in between would be lost.

        Raises TooManyConnections.
        """
        self._check_limits(order_id, link_id, address)
        self.open(order_id)
        self._idle_since.pop(order_id, None)
        subscription = Subscription(link_id, address)
        self._channels[order_id].subscriptions.add(subscription)
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

    def _check_limits(self, order_id: str, link_id: str, address: str) -> None:
        if address and self._addresses[address] >= VIEWS_PER_ADDRESS:
            raise TooManyConnections(f"At most {VIEWS_PER_ADDRESS} live views at a time from one address.")
        views = sum(one.link_id == link_id for one in self._subscriptions(order_id))
        if views >= VIEWS_PER_LINK:
            raise TooManyConnections(f"At most {VIEWS_PER_LINK} live views at a time of one tracking link.")

    # --- cursors

    def cursor(self, order_id: str) -> str:
        channel = self._channels.get(order_id)
        return channel.cursor if channel else ""

    def issued(self, order_id: str, cursor: str) -> bool:
        """Whether this service issued the cursor for this order, even before a restart."""
        tag = cursor.partition("-")[0]
        sent = tag.encode("utf-8", "replace")
        return hmac.compare_digest(sent, self._tag(order_id, tag[:NONCE]).encode("utf-8", "replace"))

    def _new_tag(self, order_id: str) -> str:
        return self._tag(order_id, token_hex(NONCE // 2))

    def _tag(self, order_id: str, nonce: str) -> str:
        signed = hmac.digest(self._key, f"{order_id} {nonce}".encode("utf-8", "replace"), "sha256")
        return nonce + signed.hex()[:SIGNATURE]

    # --- messages

    def snapshot(self, order_id: str, now: str) -> Snapshot:
        """Return the published state. The order must have been published before."""
        channel = self._channels[order_id]
        return Snapshot(cursor=channel.cursor, now=now, **channel.state)

    def updates_since(self, order_id: str, cursor: str, now: str) -> list[Outgoing] | None:
        """Return the notes after *cursor* and one update of all changed fields; None: send a snapshot."""
        channel = self._channels[order_id]
        since = channel.revision_of(cursor)
        if since is None or not channel.state:
            return None
        notes = [note for revision, note in channel.notes if revision > since]
        fields = {name: channel.state[name] for name, at in channel.changed.items() if at > since}
        return notes + ([Outgoing(Update(cursor=channel.cursor, now=now, **fields))] if fields else [])

    def heartbeat(self, order_id: str, subscription: Subscription, now: str) -> Outgoing:
        """Return a heartbeat; its cursor covers only what the subscription has delivered."""
        cursor = self.cursor(order_id) if subscription.is_empty else subscription.cursor
        return Outgoing(Heartbeat(cursor, now))

    def publish(self, order_id: str, state: CustomerState, now: str) -> None:
        """Set the order's state and offer the changed fields to every subscription."""
        if (channel := self._channels.get(order_id)) is None:
            return
        before, channel.state = channel.state, dict(state)
        changed = {name: value for name, value in state.items() if not _equal(before.get(name), value)}
        if not before or not changed:
            return
        update = Outgoing(Update(cursor=channel.advance(), now=now, **changed))
        channel.changed.update(dict.fromkeys(changed, channel.revision))
        for subscription in channel.subscriptions:
            subscription.offer(update)

    def note(self, order_id: str, text: str, at: str) -> None:
        """Send a driver's note to every subscription, and to clients that reconnect."""
        if (channel := self._channels.get(order_id)) is None:
            return
        note = Outgoing(NoteToCustomer(text, at))
        channel.advance()
        channel.notes.append((channel.revision, note))
        for subscription in channel.subscriptions:
            subscription.offer_note(note)

    def forget_notes(self, order_id: str) -> None:
        """Stop replaying the order's earlier notes to clients that reconnect."""
        if (channel := self._channels.get(order_id)) is not None:
            channel.notes.clear()

    def finish(self, order_id: str, end: End) -> None:
        """End every subscription of an order that has ended."""
        for subscription in self._subscriptions(order_id):
            subscription.finish(end)

    def revoke(self, link_id: str) -> None:
        """End every subscription of a revoked link."""
        for channel in self._channels.values():
            for subscription in channel.subscriptions:
                if subscription.link_id == link_id:
                    subscription.finish(End("revoked"))

    def restart(self) -> None:
        """Close every subscription, because this node is about to stop."""
        for channel in self._channels.values():
            for subscription in channel.subscriptions:
                subscription.restart()

    def _subscriptions(self, order_id: str) -> list[Subscription]:
        channel = self._channels.get(order_id)
        return list(channel.subscriptions) if channel else []


def _equal(before: object, after: object) -> bool:
    return before is after or before == after
