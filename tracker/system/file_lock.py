"""Locks between processes, held on a file and gone with whoever holds them."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

PAUSE: Final = 0.2  # seconds


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Held until the block ends or the process dies; `on_wait` is told once where somebody else holds it."""
    with path.open("w") as file:
        if not try_lock(file):
            on_wait()
            while not try_lock(file):  # noqa: ASYNC110 - another process's lock raises no event of ours
                await asyncio.sleep(PAUSE)
        yield


def try_lock(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    """Whether it is ours now, until the file is closed."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
