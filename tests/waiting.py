"""Waiting: tests wait for a condition under a timeout, in one way."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, overload

WITHIN: Final = 30.0  # seconds; other tests may keep the processors busy
POLL: Final = 0.02  # seconds; other processes raise no event of ours


@overload
async def until[T](
    condition: Callable[[], Awaitable[T]], within: float = WITHIN, every: float = POLL
) -> T: ...


@overload
async def until[T](condition: Callable[[], T], within: float = WITHIN, every: float = POLL) -> T: ...


async def until(condition: Callable[[], object], within: float = WITHIN, every: float = POLL) -> object:
    """Wait until the condition, or what it awaits, is true, and return that value. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(every)


async def becomes_true(condition: Callable[[], object], within: float = WITHIN, every: float = POLL) -> bool:
    """Return whether the condition becomes true in time."""
    try:
        await until(condition, within, every)
    except TimeoutError:
        return False
    return True
