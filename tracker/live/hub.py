"""Hub: the channels of this node, from each watched order to its subscriptions."""

import hmac
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex
from time import monotonic
from typing import Any, Final, NamedTuple

from tracker.domain.view import CustomerView, Trail
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


class SentTrail(NamedTuple):
    """The trail that a channel's state holds: its source and how much of it."""

    source: Trail | None = None
    version: int = 0  # of the source
    places: int = 0  # how many of its places were sent
    at: datetime = datetime.min.replace(tzinfo=UTC)


class Channel:
    """An order that customers of this node watch, or watched in the last two minutes.

    It holds the only record of what its watchers know: `view`, `trail` and `reviewed_at` describe `state`.
    """

    __slots__ = (
        *("changed", "notes", "revision", "reviewed_at", "state"),
        *("subscriptions", "tag", "trail", "view"),
    )

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.revision = 0
        self.view: CustomerView | None = None  # as published last; None before the first time
        self.state: dict[str, Any] = {}  # the same in wire fields
        self.trail = SentTrail()
        self.reviewed_at = self.trail.at  # when the view was last computed
        self.changed: dict[str, int] = {}  # the revision that last changed each field
        self.notes: deque[tuple[int, Outgoing]] = deque(maxlen=NOTES_KEPT)
        self.subscriptions: set[Subscription] = set()

    @property
    def cursor(self) -> str:
        return f"{self.tag}-{self.revision}"

    def snapshot(self, now: str) -> Snapshot:
        """Return the published state. A view must have been published before."""
        return Snapshot(cursor=self.cursor, now=now, **self.state)

    def updates_since(self, cursor: str, now: str) -> list[Outgoing] | None:
        """Return the notes after *cursor* and one update of all changed fields; None: send a snapshot.

        An order that has ended takes a snapshot.
        """
        since = self._revision_of(cursor)
        if since is None or not self.state or self.state["visibility"] == "ended":
            return None
        notes = [note for revision, note in self.notes if revision > since]
        fields = {name: self.state[name] for name, at in self.changed.items() if at > since}
        return notes + ([Outgoing(Update(cursor=self.cursor, now=now, **fields))] if fields else [])

    def publish(self, state: CustomerState, now: str) -> None:
        """Set the state and offer the changed fields to every subscription."""
        before, self.state = self.state, dict(state)
        changed = {
            name: value
            for name, value in state.items()
            if (known := before.get(name)) is not value and known != value
        }
        if not before or not changed:
            return
        self.revision += 1
        self.changed.update(dict.fromkeys(changed, self.revision))
        update = Outgoing(Update(cursor=self.cursor, now=now, **changed))
        for subscription in self.subscriptions:
            subscription.offer(update)

    def note(self, text: str, at: str) -> None:
        """Send a driver's note to every subscription, and to clients that reconnect."""
        note = Outgoing(NoteToCustomer(text, at))
        self.revision += 1
        self.notes.append((self.revision, note))
        for subscription in self.subscriptions:
            subscription.offer_note(note)

    def _revision_of(self, cursor: str) -> int | None:
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
        return any(self._subscriptions(order_id) for order_id in order_ids)

    # --- subscriptions

    def open(self, order_id: str) -> Channel:
        """Open the order's channel, or keep it open, so that its cursors stay valid."""
        channel = self._channels.get(order_id)
        if channel is None:
            channel = self._channels[order_id] = Channel(self._tag(order_id, token_hex(NONCE // 2)))
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

    # --- cursors

    def issued(self, order_id: str, cursor: str) -> bool:
        """Whether this service issued the cursor for this order, even before a restart."""
        tag = cursor.partition("-")[0]
        sent = tag.encode("utf-8", "replace")
        return hmac.compare_digest(sent, self._tag(order_id, tag[:NONCE]).encode("utf-8", "replace"))

    def _tag(self, order_id: str, nonce: str) -> str:
        signed = hmac.digest(self._key, f"{order_id} {nonce}".encode("utf-8", "replace"), "sha256")
        return nonce + signed.hex()[:SIGNATURE]

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
