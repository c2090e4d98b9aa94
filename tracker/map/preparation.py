"""Preparation: build a resource in the background while the service runs without it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

import structlog

from tracker.errors import TrackerError
from tracker.logs import outline

log = structlog.get_logger()


class Preparation[T]:
    """A resource that is pending, ready (with a `value`) or failed (with a `failure`).

    A failure is logged once. It stays until the next start, which tries again.
    """

    def __init__(self, name: str) -> None:
        self.name = name  # its name in the answer of `/readyz`
        self.value: T | None = None
        self.failure: str | None = None
        self.settled = asyncio.Event()
        self._open = False

    @classmethod
    @asynccontextmanager
    async def of(cls, name: str, opening: AbstractAsyncContextManager[T]) -> AsyncIterator[Self]:
        """Start to open the resource; close it, or cancel its preparation, when the block ends."""
        preparation = cls(name)
        task = asyncio.create_task(preparation._hold(opening), name=name)
        try:
            yield preparation
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def ready(self) -> bool:
        """Whether the resource is open."""
        return self._open

    @property
    def pending(self) -> bool:
        """Whether it may still become ready."""
        return not self.settled.is_set()

    @property
    def why(self) -> str:
        """The reason why there is no value."""
        return self.failure or "It is being prepared."

    async def _hold(self, opening: AbstractAsyncContextManager[T]) -> None:
        try:
            async with opening as self.value:
                self._open = True
                self.settled.set()
                await asyncio.Event().wait()  # until it is cancelled
        except Exception as error:  # the service runs without any part of the map
            self.failure = str(error) if isinstance(error, TrackerError | OSError) else outline(error)
            log.error("preparation_failed", part=self.name, why=self.failure)
        finally:
            self.value, self._open = None, False
            self.settled.set()


async def settled(preparations: Iterable[Preparation[Any]], within: float) -> bool:
    """Wait at most *within* seconds until each is ready or has failed; return whether all are."""
    waits = [asyncio.ensure_future(each.settled.wait()) for each in preparations]
    try:
        _, pending = await asyncio.wait(waits, timeout=within)
    finally:
        for wait in waits:
            wait.cancel()
    return not pending
