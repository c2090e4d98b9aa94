"""Child processes: start a program, read its output, and end it in order.

A child gets its own session, so that Ctrl-C reaches only the parent, which decides the order of ending.
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

LINES_KEPT: Final = 30  # last lines of a child's output, for the error if it dies
LONGEST_LINE: Final = 1 << 20  # bytes

OnLine = Callable[[str], None]


class Program(msgspec.Struct, frozen=True):
    """A program to start: its arguments, and the settings added to this process's environment."""

    name: str
    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    ends_within: float  # seconds from SIGTERM to SIGKILL
    executable: str = sys.executable


class Child(msgspec.Struct, frozen=True):
    """A running program and its last lines of output."""

    name: str
    process: asyncio.subprocess.Process
    last_lines: deque[str]

    @property
    def last_line(self) -> str:
        """The last line that is not blank."""
        lines = (line.strip() for line in reversed(self.last_lines))
        return next(filter(None, lines), f"no output; exit status {self.process.returncode}")


async def completed(program: Program, *, out: OnLine) -> Child:
    """Run *program* to its end; *out* gets the lines of its standard output. Cancelling ends it."""
    async with running(program, out=out, err=lambda _: None) as child:
        await child.process.wait()
    return child


@asynccontextmanager
async def running(program: Program, *, out: OnLine, err: OnLine) -> AsyncIterator[Child]:
    """Run *program* while the block runs; then send SIGTERM, and SIGKILL after `ends_within` seconds.

    *out* and *err* get the lines of its standard output and standard error.
    """
    process = await asyncio.create_subprocess_exec(
        program.executable,
        *program.arguments,
        env={**os.environ, **program.settings, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        start_new_session=True,  # uvloop does not support process_group
        preexec_fn=_dying_with(os.getpid()) if _libc is not None else None,
    )
    child = Child(program.name, process, deque(maxlen=LINES_KEPT))
    assert process.stdout is not None and process.stderr is not None
    async with asyncio.TaskGroup() as listening:
        listening.create_task(_listen(process.stdout, child, out))
        listening.create_task(_listen(process.stderr, child, err))
        try:
            yield child
        finally:
            await _end(process, program.ends_within)


async def _listen(stream: asyncio.StreamReader, child: Child, on_line: OnLine) -> None:
    async for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        child.last_lines.append(line)
        on_line(line)


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
    """Return a function that makes the kernel send SIGTERM when the parent dies (PR_SET_PDEATHSIG)."""

    def arm() -> None:
        assert _libc is not None
        _libc.prctl(1, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return arm
