"""Preparation: a resource that takes minutes to make, made while the service serves without it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

import structlog

from tracker.errors import TrackerError
from tracker.logs import outline

log = structlog.get_logger()


class Preparation[T]:
    """What `opening` opens: pending, ready (then `value` is set), or failed (then `failure` says why).

    A failure is logged once and stays until the next start, which tries again.
    """

    def __init__(self, name: str) -> None:
        self.name = name  # as `/readyz` calls it
        self.value: T | None = None
        self.failure: str | None = None
        self.settled = asyncio.Event()
        self._open = False

    @classmethod
    @asynccontextmanager
    async def of(cls, name: str, opening: AbstractAsyncContextManager[T]) -> AsyncIterator[Self]:
        """Start at once; close what was opened, or break its making off, when the block ends."""
        preparation = cls(name)
        task = asyncio.create_task(preparation._hold(opening), name=name)
        try:
            yield preparation
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def ready(self) -> bool:
        """Whether it is open now."""
        return self._open

    @property
    def pending(self) -> bool:
        """Whether it may still become ready."""
        return not self.settled.is_set()

    @property
    def why(self) -> str:
        """Why there is no value."""
        return self.failure or "It is being prepared."

    async def _hold(self, opening: AbstractAsyncContextManager[T]) -> None:
        try:
            async with opening as self.value:
                self._open = True
                self.settled.set()
                await asyncio.Event().wait()  # until it is cancelled
        except Exception as error:  # a part of the map never stops the service
            self.failure = str(error) if isinstance(error, TrackerError | OSError) else outline(error)
            log.error("preparation_failed", part=self.name, why=self.failure)
        finally:
            self.value, self._open = None, False
            self.settled.set()


async def settled(preparations: Iterable[Preparation[Any]], within: float) -> bool:
    """Wait until each is ready or has failed, at most `within` seconds; whether all are."""
    waits = [asyncio.ensure_future(each.settled.wait()) for each in preparations]
    try:
        _, pending = await asyncio.wait(waits, timeout=within)
    finally:
        for wait in waits:
            wait.cancel()
    return not pending
