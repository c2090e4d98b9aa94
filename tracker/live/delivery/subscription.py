"""Subscription: the messages that one customer has still to receive, conflated, so that they stay few."""

import asyncio
from collections import deque
from time import perf_counter
from typing import Final

import msgspec

from tracker.messages import End, ErrorReply, Heartbeat, NoteToCustomer, Pong, Snapshot, Update
from tracker.websocket.shared_frame import Frame

NOTES_KEPT: Final = 20  # undelivered notes of one subscription; the oldest are dropped first
STATUSES_KEPT: Final = 50  # queued updates, each with another status; far more than an order has
REPLIES_KEPT: Final = 8  # undelivered replies to the customer
UNCONFIRMED_UPDATES: Final = 2  # for a client that confirms what it has displayed

CustomerMessage = Snapshot | Update | NoteToCustomer | Heartbeat | End | Pong | ErrorReply


class Outgoing:
    """A message to customers; each encoding is made once, on first use, and shared."""

    __slots__ = ("_frames", "_json", "cursor", "message", "since")

    def __init__(self, message: CustomerMessage) -> None:
        self.message = message
        self.cursor: str | None = getattr(message, "cursor", None)
        self.since = perf_counter()  # seconds; to measure the latency to the socket
        self._json: str | None = None
        self._frames: list[Frame | None] = [None, None]  # text, binary

    def json(self) -> str:
        """Return the JSON for text frames, events and responses."""
        if self._json is None:
            self._json = msgspec.json.encode(self.message).decode()
        return self._json

    def frame(self, *, binary: bool) -> Frame:
        """Return the WebSocket frame: JSON in a text frame, MessagePack in a binary one."""
        frame = self._frames[binary]
        if frame is None:
            frame = Frame(msgspec.msgpack.encode(self.message) if binary else self.json())
            self._frames[binary] = frame
        return frame


class Subscription:
    """One customer's live view: the newest state that is not yet sent.

    However slow the client is, it holds one update, preceded by one for each status that must not be skipped.
    """

    __slots__ = (
        *("_notes", "_paused", "_ready", "_replies", "_unconfirmed", "_updates"),
        *("address", "cursor", "end", "link_id", "restarting"),
    )

    def __init__(self, link_id: str, address: str = "") -> None:
        self.link_id = link_id
        self.address = address
        self.cursor = ""  # of the last update taken: the customer has everything up to it
        self.end: End | None = None
        self.restarting = False
        self._updates: list[Outgoing] = []
        self._notes: deque[Outgoing] | None = None
        self._replies: deque[Outgoing] | None = None
        self._paused = False
        self._ready = asyncio.Event()
        self._unconfirmed: list[str] | None = None  # cursors sent; None if the client confirms none

    def offer(self, update: Outgoing) -> None:
        """Queue an update, merged with one that is still queued; skip no status.

        If an earlier status must be sent first, send it without the position, which would be stale.
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
        """Queue a note. Notes are not state, so they are not conflated."""
        if self._notes is None:
            self._notes = deque(maxlen=NOTES_KEPT)
        self._notes.append(note)
        self._ready.set()

    def reply(self, reply: Outgoing) -> None:
        """Queue a reply to this customer."""
        if self._replies is None:
            self._replies = deque(maxlen=REPLIES_KEPT)
        self._replies.append(reply)
        self._ready.set()

    def pause(self, seconds: float) -> None:
        """Hold updates back for *seconds*; notes and the end of the link are still sent."""
        self._paused = True
        asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = False
        self._ready.set()

    def start(self, cursor: str, *, notes_too: bool = True) -> None:
        """Set the cursor and discard what is queued, because a snapshot or replay covers it."""
        self.cursor = cursor
        self._updates.clear()
        if notes_too:
            self._notes = None

    @property
    def is_empty(self) -> bool:
        """Whether no update and no note is queued."""
        return not self._updates and not self._notes

    def finish(self, end: End) -> None:
        """End the subscription with *end*; discard what is queued if the link was revoked or expired."""
        self.end = self.end or end
        if end.reason in {"revoked", "expired"}:
            self.start(self.cursor)
        self._ready.set()

    def restart(self) -> None:
        """Close the subscription, because this node is about to stop."""
        self.restarting = True
        self._ready.set()

    async def next(self) -> Outgoing | None:
        """Wait for the next message and return it; None: this node is about to stop.

        If the client confirms updates, wait while the last two are unconfirmed.
        """
        while True:
            if (outgoing := self.take()) is not None:
                return outgoing
            if self.restarting and not self._paused:
                return None
            self._ready.clear()
            await self._ready.wait()

    async def ready(self) -> None:
        """Wait until a message is queued, the subscription ends or this node is about to stop."""
        while self.is_empty and self.end is None and not self.restarting:
            self._ready.clear()
            await self._ready.wait()

    def take(self) -> Outgoing | None:
        """Return the next message that may be sent now, or None."""
        for queue in (self._replies, self._notes):
            if queue:
                return queue.popleft()
        if not self._updates:
            return None if self.end is None else Outgoing(self.end)
        unconfirmed = None if self.end is not None else self._unconfirmed
        if self._paused or (unconfirmed is not None and len(unconfirmed) >= UNCONFIRMED_UPDATES):
            return None
        update = self._updates.pop(0)
        self.cursor = update.cursor or self.cursor
        if unconfirmed is not None:
            unconfirmed.append(self.cursor)
        return update

    def confirm(self, cursor: str) -> None:
        """Record that the client has displayed everything up to *cursor*; ignore a cursor never sent."""
        if self._unconfirmed is None:
            self._unconfirmed = []
        elif cursor in self._unconfirmed:
            del self._unconfirmed[: self._unconfirmed.index(cursor) + 1]
        self._ready.set()


def _changes_status(older: Update, newer: Update) -> bool:
    """Whether merging the two would skip a status."""
    before, after = older.order, newer.order
    unset = isinstance(before, msgspec.UnsetType) or isinstance(after, msgspec.UnsetType)
    return not unset and before.status != after.status  # type: ignore[union-attr]


def conflate(older: Outgoing, newer: Outgoing) -> Outgoing | None:
    """Merge two updates into one; None if that would skip a status or they are not updates."""
    first, second = older.message, newer.message
    if not (isinstance(first, Update) and isinstance(second, Update)) or _changes_status(first, second):
        return None
    return Outgoing(merge(first, second))


def merge(older: Update, newer: Update) -> Update:
    """Return one update with the fields of both; the newer one's win."""
    fields = ((name, getattr(newer, name)) for name in newer.__struct_fields__)
    return msgspec.structs.replace(
        older, **{name: value for name, value in fields if value is not msgspec.UNSET}
    )
