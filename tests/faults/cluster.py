"""Cluster: a real PostgreSQL server of the checker's own, to be killed, frozen, and deprived of its disk."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, urlsplit

import asyncpg

from tests.waiting import until
from tracker.postgres.data_files import PORT, OsUser, clear_remains, initialise, socket_folder
from tracker.postgres.programs import Programs, programs_for
from tracker.postgres.server import SETTINGS

UP_WITHIN: Final = 60.0  # seconds
POLL: Final = 0.05

_numbers = count(1)


class Cluster:
    """One server; what is done to it is done by its own process id."""

    def __init__(
        self, folder: Path, tmpfs_mb: int | None = None, programs: Programs | None = None, address: str = ""
    ) -> None:
        self._folder = folder
        self._address = address  # where it listens besides its socket
        self._tmpfs_mb = tmpfs_mb
        self._data = folder / "disk" / "postgres"
        self._programs = programs or programs_for(self._data)
        self.settings: dict[str, str] = {}  # of the next start
        self._account = OsUser.fitting()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None  # holds the private mount namespace
        self._sockets = folder / "sockets"  # until `_set_up` chooses one

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        tmpfs_mb: int | None = None,
        programs: Programs | None = None,
        address: str = "",
    ) -> AsyncIterator[Self]:
        """A new server, up; with `tmpfs_mb` its data lie on a disk of that size that only it sees.

        With an *address* it also listens there, and lets everybody in.
        """
        cluster = cls(folder, tmpfs_mb, programs, address)
        try:
            await asyncio.to_thread(cluster._set_up)
            await cluster.start()
            yield cluster
        finally:
            await cluster._tear_down()

    @property
    def url(self) -> str:
        return f"postgresql://tracker@/postgres?host={quote(str(self._sockets))}&port={PORT}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns when it accepts connections; a killed one repairs itself first."""

        async def is_up() -> bool:
            if await self._is_up():
                return True
            if self._process is None or self._process.poll() is not None:
                self._spawn()
            return False

        await until(is_up, UP_WITHIN)

    def kill(self) -> None:
        """-9 to the postmaster; its children see it and go."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Every process of it stands still."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def kill_a_backend(self) -> bool:
        """-9 to one that stores fixes: the whole server restarts by itself. False where there was none."""
        with suppress(asyncpg.PostgresError, OSError):
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                pid = await connection.fetchval(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'tracker ingest' LIMIT 1"
                )
            finally:
                await connection.close()
            if pid is not None:
                os.kill(self._outer(pid), signal.SIGKILL)
                return True
        return False

    async def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"faults_{next(_numbers)}"
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.url.replace("/postgres?", f"/{name}?")

    def through_network(self, url: str) -> str:
        """The same database by the server's address, if it has one."""
        if not self._address:
            return url
        return f"postgresql://tracker@{self._address}:{PORT}/{urlsplit(url).path.lstrip('/')}"

    def fill_disk(self) -> Path:
        """Leaves no byte free; the file to delete for space to return."""
        filler = self._seen_from_here(self._folder / "disk" / "filler")
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(65_536)):
                pass
        return filler

    # --- how it is run

    def _set_up(self) -> None:
        (self._folder / "disk").mkdir(parents=True)
        self._sockets = socket_folder(self._folder / "data", self._account)  # outside the disk
        log = self._folder / "postgres.log"
        if self._tmpfs_mb is None:
            initialise(self._data, self._account, self._programs, log)
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n" if self._address else "")
            return
        new = self._folder / "made"
        new.mkdir()
        initialise(new / "postgres", self._account, self._programs, log)
        disk = self._folder / "disk"
        mounted = f'mount -t tmpfs -o size={self._tmpfs_mb}m,mode=755 faults "$1"'
        script = mounted + ' && cp -a "$2" "$1"/ && echo ready && exec sleep 3600'
        command = ["unshare", "-m", "sh", "-c", script, "sh", str(disk), str(new / "postgres")]
        self._keeper = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        with self._keeper.stdout as said:
            assert said.readline() == b"ready\n", "no tmpfs could be mounted"

    def _spawn(self) -> None:
        if self._keeper is None:
            clear_remains(self._data, self._sockets)
        else:
            self._seen_from_here(self._data / "postmaster.pid").unlink(missing_ok=True)
            clear_remains(Path("/nowhere"), self._sockets)
        settings = {**SETTINGS, "unix_socket_directories": f'"{self._sockets}"', "restart_after_crash": "on"}
        settings |= {"listen_addresses": self._address}
        if self._tmpfs_mb is not None:
            settings |= {"max_wal_size": "64MB", "min_wal_size": "32MB"}
        settings |= self.settings
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        inside = [] if self._keeper is None else ["nsenter", "-t", str(self._keeper.pid), "-m", "--"]
        server = [str(self._programs.folder / "postgres"), "-D", str(self._data)]
        command = [*inside, *self._account.prefix, *server, *options]
        account = OsUser((), self._account.uid, self._account.gid)
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = account.popen(command, log)

    async def _is_up(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        try:
            connection = await asyncpg.connect(self.url, timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    def _processes(self) -> list[int]:
        """The postmaster first, then its children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def _outer(self, pid: int) -> int:
        assert pid in self._processes()[1:], "not a process of this server"
        return pid

    def _seen_from_here(self, path: Path) -> Path:
        """The same file through the window that /proc opens into the private mount."""
        return path if self._keeper is None else Path(f"/proc/{self._keeper.pid}/root{path}")

    async def _tear_down(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, 10)
            self._process.kill()
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)


def tmpfs_trouble() -> str:
    """Why no private tmpfs can be mounted here; empty where one can."""
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or not shutil.which("unshare")
        or not shutil.which("nsenter")
    ):
        return "a private tmpfs needs Linux, root, unshare and nsenter"
    script = "mount -t tmpfs -o size=1m faults /mnt"
    tried = subprocess.run(["unshare", "-m", "sh", "-c", script], check=False, capture_output=True)
    return "" if tried.returncode == 0 else f"no tmpfs can be mounted: {tried.stderr.decode().strip()}"
