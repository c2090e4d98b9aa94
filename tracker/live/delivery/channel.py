"""Channel: what the watchers of one order know. It sends them only the fields that have changed."""

from collections import deque
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from tracker.domain.view import CustomerView, Trail
from tracker.live.delivery.cursors import format_cursor, revision_of
from tracker.live.delivery.subscription import NOTES_KEPT, Outgoing, Subscription
from tracker.messages import CustomerState, NoteToCustomer, Snapshot, Update

OPTIONAL: Final = ("pin", "proofs")  # absent in a snapshot if there is nothing in them


class SentTrail(NamedTuple):
    """The trail that a channel's state holds: its source and how much of it."""

    source: Trail | None = None
    version: int = 0  # of the source
    places: int = 0  # how many of its places were sent
    at: datetime = datetime.min.replace(tzinfo=UTC)


class RemoteWatchers(Protocol):
    """The nodes whose customers watch an order."""

    def offer(self, update: Update) -> None:
        """Send the order's state, of which *update* has changed; never wait."""


class Channel:
    """An order that customers of this node watch, or watched in the last two minutes.

    It holds the only record of what its watchers know: `view`, `trail` and `reviewed_at` describe `state`.
    """

    __slots__ = (
        *("changed", "follows", "notes", "remote", "revision", "reviewed_at", "state"),
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
        self.remote: RemoteWatchers | None = None  # other nodes, whose customers watch the order
        self.follows = False  # another node owns the trip, and its views are published here

    @property
    def is_watched(self) -> bool:
        """Whether a customer of any node watches the order, as far as this node knows."""
        return bool(self.subscriptions) or self.remote is not None

    @property
    def cursor(self) -> str:
        return format_cursor(self.tag, self.revision)

    def snapshot(self, now: str) -> Snapshot:
        """Return the published state. A view must have been published before."""
        fields = {name: value for name, value in self.state.items() if value or name not in OPTIONAL}
        return Snapshot(cursor=self.cursor, now=now, **fields)

    def updates_since(self, cursor: str, now: str) -> list[Outgoing] | None:
        """Return the notes after *cursor* and one update of all changed fields; None: send a snapshot.

        An order that has ended takes a snapshot.
        """
        since = revision_of(cursor, self.tag, self.revision)
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
        update = Update(cursor=self.cursor, now=now, **changed)
        if self.subscriptions:
            outgoing = Outgoing(update)
            for subscription in self.subscriptions:
                subscription.offer(outgoing)
        if self.remote is not None:
            self.remote.offer(update)

    def note(self, text: str, at: str) -> None:
        """Send a driver's note to every subscription, and to clients that reconnect; the same note once."""
        message = NoteToCustomer(text, at)
        if any(kept.message == message for _, kept in self.notes):
            return
        note = Outgoing(message)
        self.revision += 1
        self.notes.append((self.revision, note))
        for subscription in self.subscriptions:
            subscription.offer_note(note)
