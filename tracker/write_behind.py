"""WriteBehind: a bounded queue whose items one task writes in batches, off the hot path."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Self

import structlog

from tracker.errors import StorageUnavailable

CLOSE_WITHIN_S: Final = 2.0

log = structlog.get_logger()


async def _nothing() -> None:
    pass


class WriteBehind[T]:
    """Queues items without blocking. One task writes them, oldest first, during `async with`.

    Each *every_s* seconds, or sooner after `wake`, a round passes the queue to *write*, at most *batch* items
    at a time, and then awaits *then*. Both may raise StorageUnavailable. It ends the round and is logged as
    *delayed*; the next round retries the batch, so an item may be written twice. Any other error is logged as
    *failed* and drops the batch, so that one bad item does not block the next ones.

    Beyond *size* waiting items the oldest are dropped. *dropped* is called with the number of items lost.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        size: int,
        batch: int,
        every_s: float,
        delayed: str,
        failed: str,
        dropped: Callable[[int], None] = lambda _: None,
        then: Callable[[], Awaitable[None]] = _nothing,
        close_within_s: float = CLOSE_WITHIN_S,
    ) -> None:
        self._write, self._then, self._dropped = write, then, dropped
        self._size, self._batch_size, self._every_s = size, batch, every_s
        self._delayed, self._failed, self._close_within_s = delayed, failed, close_within_s
        self._queue: deque[T] = deque()
        self._batch: Sequence[T] = ()  # being written
        self._due = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []  # done at the end of the next round
        self._closing = False
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the queue without *then*, in one attempt of at most *close_within_s*."""
        self._closing = True
        self._due.set()
        await asyncio.wait([self._task], timeout=self._close_within_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items that are not written yet, oldest first."""
        yield from self._batch
        yield from self._queue

    def add(self, item: T) -> None:
        """Queue an item for the next round; never wait."""
        self._queue.append(item)
        self._drop_surplus()

    def wake(self) -> None:
        """Start a round as soon as the current one has ended."""
        self._due.set()

    async def flush(self, wait_s: float) -> None:
        """Start a round and wait until it has ended, at most *wait_s*.

        Afterwards everything queued before is written, unless the wait was too short or the round failed.
        """
        ended = asyncio.get_running_loop().create_future()
        self._flushes.append(ended)
        self._due.set()
        await asyncio.wait([ended], timeout=wait_s)

    def _drop_surplus(self) -> None:
        surplus = len(self._queue) - self._size
        if surplus > 0:
            for _ in range(surplus):
                self._queue.popleft()
            self._dropped(surplus)

    async def _run(self) -> None:
        is_last = False
        while not is_last:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._due.wait()
            self._due.clear()
            is_last, (flushes, self._flushes) = self._closing, (self._flushes, [])
            await self._round()
            for ended in flushes:
                ended.set_result(None)

    async def _round(self) -> None:
        try:
            while self._queue:
                await self._write_batch()
            if not self._closing:
                await self._then()
        except StorageUnavailable:
            log.warning(self._delayed, waiting=len(self._queue))
        except Exception as error:
            log.error(self._failed, exc_info=error)

    async def _write_batch(self) -> None:
        self._batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_size))]
        try:
            await self._write(self._batch)
        except StorageUnavailable:
            self._queue.extendleft(reversed(self._batch))
            self._drop_surplus()
            raise
        except Exception as error:
            log.error(self._failed, exc_info=error)
            self._dropped(len(self._batch))
        finally:
            self._batch = ()
