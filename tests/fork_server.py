"""Programs of the service as processes, forked from a server that has imported them: that is most of a start.

It is the standard library's fork server, one for each process of the tests. Tests of the command line start
`python -m tracker` themselves.
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).parent.parent
ARGUMENTS: Final = ("serve", "--migrate")
# Elsewhere forking is not safe after such imports; and coverage is measured from the start of an interpreter.
FORKING: Final = sys.platform == "linux" and "COVERAGE_PROCESS_CONFIG" not in os.environ

_context: Final = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.service_imports", "tracker.routing.child_process"])


class ServiceProcess(Protocol):
    """What tests use of `asyncio.subprocess.Process`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


async def started(
    program: str, environment: Mapping[str, str], log: Path, namespace: str = ""
) -> ServiceProcess:
    """Start `python -m <program> serve --migrate`; standard error goes to *log*, a new file.

    With a name it runs in this network namespace.
    """
    with log.open("wb") as stderr:
        if not FORKING:
            inside = ("ip", "netns", "exec", namespace) if namespace else ()
            return await asyncio.create_subprocess_exec(
                *(*inside, sys.executable, "-m", program, *ARGUMENTS),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
    arguments = (program, dict(environment), log.absolute(), namespace)
    process = _context.Process(target=_run, args=arguments, daemon=True)
    process.start()
    return _Forked(process)


class _Forked:
    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int, /) -> None:
        """Raises ProcessLookupError."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        assert self.returncode is not None
        return self.returncode


def _run(program: str, environment: dict[str, str], log: Path, namespace: str) -> None:
    """Be `python -m <program>`, in a forked process."""
    if namespace:
        with Path("/run/netns", namespace).open() as network:
            os.setns(network.fileno(), os.CLONE_NEWNET)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for path, number in ((Path(os.devnull), 1), (log, 2)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    sys.argv = [program, *ARGUMENTS]
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except Exception:  # as an interpreter does at its end
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
