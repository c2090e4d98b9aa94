"""EventFeed: numbers committed events, and wakes those who wait for them on this node."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

import structlog

from tracker.database import Database
from tracker.database.events.feed import FeedState, number_events, select_event_feed
from tracker.errors import StorageUnavailable

POLL_S: Final = 0.5  # until this node sees events of other nodes, and of nodes that were killed
BATCH: Final = 500  # events numbered in one transaction

log = structlog.get_logger()


class EventFeed:
    """Follows the list of events. Any node numbers events: its own at once, all others within POLL_S.

    A commit of this process wakes it, so it needs no connection of its own, as LISTEN would: a pooler in
    transaction mode has none to give.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grew = asyncio.Event()
        self._subscribers: list[asyncio.Event] = []
        self.last = 0  # the newest position that this node knows
        self.streams: Counter[str] = Counter()  # open streams on this node, by API key
        self.closing = False  # the node is about to stop

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator[Self]:
        """Follow the list during the block."""
        feed = cls(database)
        task = asyncio.create_task(feed._follow())
        try:
            yield feed
        finally:
            feed.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        """Release all who wait, because the node is about to stop."""
        self.closing = True
        self.wake()

    async def wait(self, beyond: int, within_s: float) -> bool:
        """Wait for an event after that position, at most *within_s*; return whether there is one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.last <= beyond and not self.closing:
                    await self._grew.wait()
        return self.last > beyond

    async def catch_up(self) -> FeedState:
        """Number what is committed, and return how far the list reaches. Raises StorageUnavailable."""
        state = await select_event_feed(self._database)
        last, numbered = state.last, BATCH if state.is_behind else 0
        while numbered == BATCH:
            async with self._database.transaction() as connection:
                last, numbered = await number_events(connection, BATCH)
        if last > self.last:
            self.last = last
            self.wake()
        return FeedState(last, state.dropped, is_behind=False)

    async def _follow(self) -> None:
        fails = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._database.committed.wait()
            self._database.committed.clear()
            failed, fails = fails, not await self._try_catch_up()
            if fails and not failed:
                log.warning("event_feed_delayed")
            if fails:
                await asyncio.sleep(POLL_S)

    async def _try_catch_up(self) -> bool:
        """Number what is committed; return whether the database answered."""
        try:
            await self.catch_up()
        except StorageUnavailable:
            return False
        return True

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set each time the list has grown; the caller clears it."""
        self._subscribers.append(subscriber := asyncio.Event())
        return subscriber

    def wake(self) -> None:
        """Wake all who wait: there is something to do, with or without a new event."""
        grew, self._grew = self._grew, asyncio.Event()
        for event in (grew, *self._subscribers):
            event.set()
