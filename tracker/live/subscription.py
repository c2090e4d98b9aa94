"""Mailbox: what one customer is still to be told. It conflates: whatever the reader does, it stays small."""

import asyncio
from collections import deque
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Final

import msgspec

from tracker.messages import End, ErrorReply, Heartbeat, NoteToCustomer, Pong, Snapshot, Update
from tracker.websocket.frames import Frame

NOTES_KEPT: Final = 20  # unread notes of one subscription; the oldest go first
STATUSES_KEPT: Final = 50  # small updates that wait, each with another status; far more than an order has
REPLIES_KEPT: Final = 8  # unread answers to what the customer changes
UNCONFIRMED_UPDATES: Final = 2  # for a client that tells what it has shown

CustomerMessage = Snapshot | Update | NoteToCustomer | Heartbeat | End | Pong | ErrorReply


class Outgoing:
    """A message on its way to customers; encoded once each way, by the first that needs it, for all."""

    __slots__ = ("_frames", "_json", "cursor", "message", "since")

    def __init__(self, message: CustomerMessage) -> None:
        self.message = message
        self.cursor: str | None = getattr(message, "cursor", None)
        self.since = perf_counter()  # seconds; for measuring how long it took to the socket
        self._json: str | None = None
        self._frames: list[Frame | None] = [None, None]  # of text, and binary

    def json(self) -> str:
        """For text frames, events and answers."""
        if self._json is None:
            self._json = msgspec.json.encode(self.message).decode()
        return self._json

    def frame(self, *, binary: bool) -> Frame:
        """For sockets: JSON in a text frame, MessagePack in a binary one."""
        frame = self._frames[binary]
        if frame is None:
            frame = Frame(msgspec.msgpack.encode(self.message) if binary else self.json())
            self._frames[binary] = frame
        return frame


class Subscription:
    """One customer's live view: the newest state not yet sent, and nothing behind it.

    Whatever the reader does, it holds one update, and before it one for each status that must not be skipped.
    """

    __slots__ = (
        *("_notes", "_paused", "_ready", "_replies", "_unconfirmed", "_updates"),
        *("address", "cursor", "end", "link_id", "restarting"),
    )

    def __init__(self, link_id: str, address: str = "") -> None:
        self.link_id = link_id
        self.address = address
        self.cursor = ""  # of what was taken last: up to here the customer knows everything
        self.end: End | None = None
        self.restarting = False
        self._updates: list[Outgoing] = []
        self._notes: deque[Outgoing] | None = None
        self._replies: deque[Outgoing] | None = None
        self._paused = False
        self._ready = asyncio.Event()
        self._unconfirmed: list[str] | None = None  # cursors sent; None if the client confirms none

    def offer(self, update: Outgoing) -> None:
        """Takes an update; one that is still waiting is merged into it, but no status is skipped.

        Where a status has to be told first, that is all that is told of back then: whereabouts are never old.
        """
        if self.end is not None:
            return
        newer, older = update.message, self._updates[-1].message if self._updates else None
        if isinstance(newer, Update) and isinstance(older, Update):
            merged = Outgoing(merge(older, newer))
            if len(self._updates) < STATUSES_KEPT and _changes_status(older, newer):
                self._updates[-1] = Outgoing(Update(cursor=self.cursor, now=older.now, order=older.order))
                self._updates.append(merged)
            else:
                self._updates[-1] = merged
        else:
            self._updates.append(update)
        self._ready.set()

    def offer_note(self, note: Outgoing) -> None:
        """Takes a note; words are not state, so each is passed on."""
        if self._notes is None:
            self._notes = deque(maxlen=NOTES_KEPT)
        self._notes.append(note)
        self._ready.set()

    def reply(self, reply: Outgoing) -> None:
        """Answers what this customer changes."""
        if self._replies is None:
            self._replies = deque(maxlen=REPLIES_KEPT)
        self._replies.append(reply)
        self._ready.set()

    def pause(self, seconds: float) -> None:
        """No update for so long; words and the link's end still go out."""
        self._paused = True
        asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = False
        self._ready.set()

    def start(self, cursor: str, *, notes_too: bool = True) -> None:
        """What was offered so far is told in another way."""
        self.cursor = cursor
        self._updates.clear()
        if notes_too:
            self._notes = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._updates and not self._notes

    def finish(self, end: End) -> None:
        """Nothing comes after this; where the link itself is over, nothing that waits is given either."""
        self.end = self.end or end
        if end.reason in {"revoked", "expired"}:
            self.start(self.cursor)
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
            if (outgoing := self.take()) is not None:
                return outgoing
            if self.restarting and not self._paused:
                return None
            self._ready.clear()
            await self._ready.wait()

    async def ready(self) -> None:
        """Until something waits, nothing will come any more, or this node stops."""
        while self.is_empty and self.end is None and not self.restarting:
            self._ready.clear()
            await self._ready.wait()

    def take(self) -> Outgoing | None:
        """The next message, if there is one that may go out now."""
        for words in (self._replies, self._notes):
            if words:
                return words.popleft()
        if not self._updates:
            return None if self.end is None else Outgoing(self.end)
        may_go = not self._paused and (self.end is not None or self._has_credit())
        return self._take_update() if may_go else None

    def confirm(self, cursor: str) -> None:
        """The client has shown everything up to this cursor; a cursor never sent changes nothing."""
        if self._unconfirmed is None:
            self._unconfirmed = []
        elif cursor in self._unconfirmed:
            del self._unconfirmed[: self._unconfirmed.index(cursor) + 1]
        self._ready.set()

    def _has_credit(self) -> bool:
        return self._unconfirmed is None or len(self._unconfirmed) < UNCONFIRMED_UPDATES

    def _take_update(self) -> Outgoing:
        update = self._updates.pop(0)
        self.cursor = update.cursor or self.cursor
        if self._unconfirmed is not None and self.end is None:
            self._unconfirmed.append(self.cursor)
        return update


def _changes_status(older: Update, newer: Update) -> bool:
    """Whether merging the two would hide a status."""
    before, after = older.order, newer.order
    unset = isinstance(before, msgspec.UnsetType) or isinstance(after, msgspec.UnsetType)
    return not unset and before.status != after.status  # type: ignore[union-attr]


def conflate(older: Outgoing, newer: Outgoing) -> Outgoing | None:
    """Two updates as one; None where there is something between them that must be told."""
    first, second = older.message, newer.message
    if not (isinstance(first, Update) and isinstance(second, Update)) or _changes_status(first, second):
        return None
    return Outgoing(merge(first, second))


def merge(older: Update, newer: Update) -> Update:
    """One update that says what both say in turn."""
    changes = {name: value for name, value in _fields(newer) if value is not msgspec.UNSET}
    return msgspec.structs.replace(older, **changes)


def _fields(update: Update) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(update, name)) for name in update.__struct_fields__)
