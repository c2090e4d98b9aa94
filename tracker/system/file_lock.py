"""Locks between processes, on a file. The kernel releases them when the process dies."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

PAUSE: Final = 0.2  # seconds


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock until the block ends or the process dies.

    Calls *on_wait* once if another process holds it.
    """
    with path.open("w") as file:
        if not try_lock(file):
            on_wait()
            while not try_lock(file):  # noqa: ASYNC110 - another process's lock sets no asyncio event
                await asyncio.sleep(PAUSE)
        yield


def try_lock(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    """Try to lock *file* until it is closed; return whether that succeeded."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
