"""Children: programs that a parent starts, listens to and ends in order.

They get sessions of their own: Ctrl-C reaches only the parent, which decides who ends first.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec

REMEMBERED: Final = 30  # lines of a child, told if it dies

LONGEST_LINE: Final = 1 << 20  # bytes

Said = Callable[[str], None]


class Program(msgspec.Struct, frozen=True):
    """What to start: its arguments, and settings on top of our environment."""

    name: str
    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    ends_within: float  # seconds after SIGTERM; then it is killed
    executable: str = sys.executable


class Child(msgspec.Struct, frozen=True):
    """A program that runs, and the last that it said."""

    name: str
    process: asyncio.subprocess.Process
    last_words: deque[str]

    @property
    def last_line(self) -> str:
        """The last line with something in it."""
        said = (line.strip() for line in reversed(self.last_words))
        return next(filter(None, said), f"no word, but the exit status {self.process.returncode}")


async def completed(program: Program, *, out: Said) -> Child:
    """Run *program* to its end; *out* gets the lines of its standard output. Cancelling ends it."""
    async with running(program, out=out, err=_kept) as child:
        await child.process.wait()
    return child


@asynccontextmanager
async def running(program: Program, *, out: Said, err: Said) -> AsyncIterator[Child]:
    """Leaving asks it to end, and kills it where it does not in time. `out` and `err` get its lines."""
    process = await asyncio.create_subprocess_exec(
        program.executable,
        *program.arguments,
        env={**os.environ, **program.settings, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        start_new_session=True,  # uvloop knows no process_group
        preexec_fn=_dying_with(os.getpid()) if _libc is not None else None,
    )
    child = Child(program.name, process, deque(maxlen=REMEMBERED))
    assert process.stdout is not None and process.stderr is not None
    async with asyncio.TaskGroup() as listening:
        listening.create_task(_listen(process.stdout, child, out))
        listening.create_task(_listen(process.stderr, child, err))
        try:
            yield child
        finally:
            await _end(process, program.ends_within)


def _kept(_: str) -> None:
    """A child's last lines are remembered anyway."""


async def _listen(stream: asyncio.StreamReader, child: Child, say: Said) -> None:
    async for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        child.last_words.append(line)
        say(line)


async def _end(process: asyncio.subprocess.Process, within: float) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), within)
    except TimeoutError:
        process.kill()
        await process.wait()


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _dying_with(parent: int) -> Callable[[], None]:
    """In the child, before its program: SIGTERM when a killed parent cannot ask any more (prctl 1)."""

    def arm() -> None:
        assert _libc is not None
        _libc.prctl(1, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before we were armed
            os._exit(1)

    return arm
