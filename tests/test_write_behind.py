"""WriteBehind: bounded, in order, in batches, and neither an outage nor a bad item stops it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from tracker.errors import StorageUnavailable
from tracker.write_behind import WriteBehind

SELDOM_S = 3_600.0  # no round begins by itself
WAIT_S = 10.0


class Store:
    """A database: it holds what was written, and fails on request."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.errors: list[Exception] = []  # of the next writes
        self.dropped = 0
        self.writes = 0  # begun
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.open = asyncio.Event()  # writes wait until it is set
        self.open.set()

    async def write(self, batch: Sequence[int]) -> None:
        self.writes += 1
        self.begun.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(list(batch))
        self.ended.set()

    def drop(self, items: int) -> None:
        self.dropped += items

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def queue(self, **more: Any) -> WriteBehind[int]:
        options = {"size": 10, "batch": 4, "every_s": SELDOM_S, "dropped": self.drop, **more}
        return WriteBehind(self.write, delayed="items_delayed", failed="items_rejected", **options)


@pytest.fixture
def store() -> Store:
    return Store()


def add(queue: WriteBehind[int], items: Sequence[int]) -> None:
    for item in items:
        queue.add(item)


async def test_items_are_written_in_order_and_in_batches(store: Store) -> None:
    """A flush returns after everything that was queued before it."""
    async with store.queue() as queue:
        add(queue, range(9))
        await queue.flush(WAIT_S)
        assert store.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
        assert list(queue) == []


async def test_a_round_begins_after_the_interval(store: Store) -> None:
    """Without `wake` or `flush`."""
    async with store.queue(every_s=0.0) as queue:
        queue.add(1)
        async with asyncio.timeout(WAIT_S):
            await store.ended.wait()
        assert store.items == [1]


async def test_items_wait_for_their_round(store: Store) -> None:
    """`add` starts none; `wake` does."""
    async with store.queue() as queue:
        queue.add(1)
        for _ in range(10):
            await asyncio.sleep(0)  # yields to the queue's task
        assert store.items == []
        queue.wake()
        async with asyncio.timeout(WAIT_S):
            await store.ended.wait()
        assert store.items == [1]


async def test_beyond_its_size_the_oldest_items_are_dropped(store: Store) -> None:
    """The newest are kept, and the lost ones counted."""
    async with store.queue(size=5) as queue:
        add(queue, range(8))
        await queue.flush(WAIT_S)
    assert store.items == [3, 4, 5, 6, 7]
    assert store.dropped == 3


async def test_an_unavailable_database_keeps_the_batch(store: Store) -> None:
    """The next round writes it, before what came later; nothing is dropped."""
    store.errors = [StorageUnavailable("down")] * 2
    async with store.queue() as queue:
        add(queue, range(5))
        with capture_logs() as logs:
            await queue.flush(WAIT_S)
            queue.add(5)
            await queue.flush(WAIT_S)
        assert store.items == []
        assert list(queue) == [0, 1, 2, 3, 4, 5]
        assert [(one["event"], one["waiting"]) for one in logs] == [
            ("items_delayed", 5),
            ("items_delayed", 6),
        ]
        await queue.flush(WAIT_S)
    assert store.batches == [[0, 1, 2, 3], [4, 5]]
    assert store.dropped == 0


async def test_a_batch_that_comes_back_counts_for_the_size(store: Store) -> None:
    """What was added during a failed write takes the place of the oldest items."""
    store.errors = [StorageUnavailable("down")]
    store.open.clear()
    async with store.queue(size=5) as queue:
        add(queue, range(4))
        queue.wake()
        await store.begun.wait()
        add(queue, range(4, 8))
        store.open.set()
        await queue.flush(WAIT_S)
    assert store.items == [3, 4, 5, 6, 7]
    assert store.dropped == 3


async def test_a_rejected_batch_does_not_block_the_next_ones(store: Store) -> None:
    """It is logged and counted; the same round goes on."""
    store.errors = [ValueError("no such order")]
    async with store.queue() as queue:
        add(queue, range(6))
        with capture_logs() as logs:
            await queue.flush(WAIT_S)
    assert store.batches == [[4, 5]]
    assert store.dropped == 4
    assert [one["event"] for one in logs] == ["items_rejected"]


async def test_items_in_flight_are_still_listed(store: Store) -> None:
    """Until their write has succeeded."""
    store.open.clear()
    async with store.queue() as queue:
        add(queue, range(6))
        queue.wake()
        await store.begun.wait()
        queue.add(6)
        assert list(queue) == [0, 1, 2, 3, 4, 5, 6]
        store.open.set()
        await queue.flush(WAIT_S)
        assert list(queue) == []


async def test_a_flush_does_not_wait_longer_than_allowed(store: Store) -> None:
    """The write goes on; a later flush sees its result."""
    store.open.clear()
    async with store.queue() as queue:
        queue.add(1)
        await queue.flush(0.0)
        assert store.items == []
        store.open.set()
        await queue.flush(WAIT_S)
        assert store.items == [1]


async def test_a_flush_waits_for_a_round_of_its_own(store: Store) -> None:
    """A round that is under way began before the caller's item."""
    store.open.clear()
    async with store.queue(batch=1) as queue:
        queue.add(1)
        queue.wake()
        await store.begun.wait()
        queue.add(2)
        flush = asyncio.create_task(queue.flush(WAIT_S))
        await asyncio.sleep(0)  # yields, so that the flush begins
        store.open.set()
        await flush
        assert store.items == [1, 2]


async def test_each_round_ends_with_what_follows_the_write(store: Store) -> None:
    """Even with an empty queue, but not if the write failed; an error there stops nothing."""
    calls: list[list[int]] = []

    async def follow() -> None:
        calls.append(store.items)
        if len(calls) == 1:
            raise ValueError("a bug")

    async with store.queue(then=follow) as queue:
        with capture_logs() as logs:
            await queue.flush(WAIT_S)
        assert [one["event"] for one in logs] == ["items_rejected"]
        store.errors = [StorageUnavailable("down")]
        queue.add(1)
        await queue.flush(WAIT_S)
        assert calls == [[]]
        await queue.flush(WAIT_S)
        assert calls == [[], [1]]


async def test_the_rest_is_written_at_the_end(store: Store) -> None:
    """Also what came during the last write; nothing follows it."""
    calls: list[str] = []

    async def follow() -> None:
        calls.append("then")

    async with store.queue(then=follow) as queue:
        store.open.clear()
        add(queue, range(4))
        queue.wake()
        await store.begun.wait()
        queue.add(4)
        store.open.set()
    assert store.items == [0, 1, 2, 3, 4]
    assert calls == []


async def test_the_end_interrupts_no_write(store: Store) -> None:
    """A cancelled write could be committed all the same, and nobody would know."""
    async with store.queue() as queue:
        store.open.clear()
        queue.add(1)
        queue.wake()
        await store.begun.wait()
        asyncio.get_running_loop().call_soon(store.open.set)
    assert store.batches == [[1]]
    assert store.writes == 1


async def test_the_end_does_not_wait_for_a_database_that_hangs(store: Store) -> None:
    """Nor try again when it is unavailable."""
    async with asyncio.timeout(WAIT_S):
        async with store.queue(close_within_s=0.0) as queue:
            store.open.clear()
            queue.add(1)
        store.open.set()
        async with store.queue() as queue:
            store.errors = [StorageUnavailable("down")]
            queue.add(2)
    assert store.items == []
