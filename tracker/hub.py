"""Hub: from each order to the customers of this node who watch it, each with a mailbox that conflates."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from secrets import token_hex
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tracker.messages import End, NoteToCustomer, Snapshot, Update

NOTES_KEPT: Final = 20  # unread notes of one subscription; the oldest go first
UNSEEN_UPDATES: Final = 2  # for a client that tells what it has shown

State = Mapping[str, Any]
"""The fields of a snapshot, by name, in the words of the wire."""


class Outgoing:
    """A message on its way to customers; encoded once, by the first that needs it, for all of them."""

    __slots__ = ("_json", "message", "since")

    def __init__(self, message: Update | NoteToCustomer | End) -> None:
        self.message = message
        self.since = perf_counter()  # seconds; for measuring how long it took to the socket
        self._json: str | None = None

    def json(self) -> str:
        if self._json is None:
            self._json = msgspec.json.encode(self.message).decode()
        return self._json


class Subscription:
    """One customer's live view: the newest state not yet sent, and nothing behind it.

    Whatever the reader does, it holds at most one update for each status the order went through.
    """

    def __init__(self, link_id: str) -> None:
        self.link_id = link_id
        self.end: End | None = None
        self.restarting = False
        self._updates: deque[Outgoing] = deque()
        self._notes: deque[Outgoing] = deque(maxlen=NOTES_KEPT)
        self._ready = asyncio.Event()
        self._unseen: deque[str] | None = None  # cursors sent; None until the client tells what it has seen
        self._seen = asyncio.Event()

    def offer(self, update: Outgoing) -> None:
        """Takes an update; one that is still waiting is merged into it, but no status is skipped."""
        newer = update.message
        older = self._updates[-1].message if self._updates else None
        if isinstance(newer, Update) and isinstance(older, Update) and not _both_tell_status(older, newer):
            self._updates[-1] = Outgoing(merge(older, newer))
        else:
            self._updates.append(update)
        self._ready.set()

    def offer_note(self, note: Outgoing) -> None:
        self._notes.append(note)
        self._ready.set()

    def finish(self, end: End) -> None:
        """Nothing comes after this."""
        self.end = self.end or end
        self._ready.set()

    def restart(self) -> None:
        """This node is about to stop."""
        self.restarting = True
        self._ready.set()

    async def next(self) -> Outgoing | None:
        """The next message, once there is one; None: this node stops.

        Waits while the client has not shown the last two updates, if it tells at all.
        """
        while True:
            await self._ready.wait()
            if self._notes:
                return self._notes.popleft()
            if self._updates:
                await self._credit()
                return self._take()
            if self.end is not None:
                return Outgoing(self.end)
            if self.restarting:
                return None
            self._ready.clear()

    def saw(self, cursor: str) -> None:
        """The client has shown everything up to this cursor; a cursor never sent changes nothing."""
        if self._unseen is None:
            self._unseen = deque()
        elif cursor in self._unseen:
            while self._unseen.popleft() != cursor:
                pass
        self._seen.set()

    async def _credit(self) -> None:
        while self._unseen is not None and len(self._unseen) >= UNSEEN_UPDATES and self.end is None:
            self._seen.clear()
            await self._seen.wait()

    def _take(self) -> Outgoing:
        update = self._updates.popleft()
        if self._unseen is not None and isinstance(update.message, Update):
            self._unseen.append(update.message.cursor)
        return update


def _both_tell_status(older: Update, newer: Update) -> bool:
    return older.order is not msgspec.UNSET and newer.order is not msgspec.UNSET


def merge(older: Update, newer: Update) -> Update:
    """One update that says what both say in turn."""
    said = {name: value for name, value in _said(newer) if value is not msgspec.UNSET}
    return msgspec.structs.replace(older, **said)


def _said(update: Update) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(update, name)) for name in update.__struct_fields__)


class _Channel:
    """One order that somebody on this node watches."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}  # as published last; empty before the first time
        self.revision = 0
        self.subscriptions: set[Subscription] = set()


class Hub:
    """Who watches what on this node. Everything here is synchronous: a snapshot and the updates after it
    cannot miss each other."""

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = {}
        self._epoch = token_hex(4)  # cursors of another start of the service mean nothing here

    def __len__(self) -> int:
        return sum(len(channel.subscriptions) for channel in self._channels.values())

    def watched(self) -> list[str]:
        """The orders that somebody watches."""
        return list(self._channels)

    def watches(self, order_id: str) -> bool:
        return order_id in self._channels

    def subscribe(self, order_id: str, link_id: str) -> Subscription:
        """Begins to watch. The snapshot is taken afterwards: the other way round loses what lies between."""
        channel = self._channels.setdefault(order_id, _Channel())
        subscription = Subscription(link_id)
        channel.subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        """Ends a watch; the order's last one takes its channel along."""
        if (channel := self._channels.get(order_id)) is not None:
            channel.subscriptions.discard(subscription)
            if not channel.subscriptions:
                del self._channels[order_id]

    def snapshot(self, order_id: str, state: State, now: str) -> Snapshot:
        """The whole state with a cursor; updates that wait already say the same or something newer."""
        if (channel := self._channels.get(order_id)) is not None and not channel.state:
            channel.state = {**state, "trail": None}
        return Snapshot(cursor=self.cursor(order_id), now=now, **state)

    def cursor(self, order_id: str) -> str:
        channel = self._channels.get(order_id)
        return f"{self._epoch}-{channel.revision if channel else 0}"

    def publish(self, order_id: str, state: State, now: str, replaced: State = MappingProxyType({})) -> None:
        """Tells every watcher what changed, and what of the trail was `replaced` rather than grown."""
        if (channel := self._channels.get(order_id)) is None:
            return
        changed = {name: value for name, value in state.items() if not _same(channel.state.get(name), value)}
        changed.update(replaced)
        channel.state = dict(state)
        if not changed:
            return
        channel.revision += 1
        update = Outgoing(Update(cursor=self.cursor(order_id), now=now, **changed))
        for subscription in channel.subscriptions:
            subscription.offer(update)

    def note(self, order_id: str, note: NoteToCustomer) -> None:
        """Passes a driver's words on to every watcher."""
        outgoing = Outgoing(note)
        for subscription in self._subscriptions(order_id):
            subscription.offer_note(outgoing)

    def finish(self, order_id: str, end: End) -> None:
        """The order is over."""
        for subscription in self._subscriptions(order_id):
            subscription.finish(end)

    def revoke(self, link_id: str) -> None:
        """The link is worth nothing any more."""
        for order_id in self._channels:
            for subscription in self._subscriptions(order_id):
                if subscription.link_id == link_id:
                    subscription.finish(End("revoked"))

    def restart(self) -> None:
        """Sends every watcher away: this node is about to stop."""
        for channel in self._channels.values():
            for subscription in channel.subscriptions:
                subscription.restart()

    def _subscriptions(self, order_id: str) -> list[Subscription]:
        channel = self._channels.get(order_id)
        return list(channel.subscriptions) if channel else []


def _same(before: object, after: object) -> bool:
    return before is after or before == after
