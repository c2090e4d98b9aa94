"""A real PgBouncer in transaction mode, before the tests' server."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.waiting import until
from tracker.database_url import asyncpg_url
from tracker.postgres.data_files import OsUser

UP_WITHIN: Final = 10.0  # seconds
SERVER_SESSIONS: Final = 3  # fewer than the service has connections, so that transactions change sessions
PROGRAM: Final = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="needs PgBouncer; `apt-get install pgbouncer` brings it"
)


class PgBouncer:
    """One pooler on a Unix socket and a TCP port. It does not run as root, so it runs as the server does."""

    def __init__(self, folder: Path, server: str, **settings: str) -> None:
        self._folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        target = {name: value[0] for name, value in parse_qs(urlsplit(asyncpg_url(server)).query).items()}
        wanted = ("host", "port", "user", "password")
        pairs = " ".join(f"{name}='{target[name]}'" for name in wanted if name in target)
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": str(folder),
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": str(SERVER_SESSIONS),
            "server_login_retry": "1",
            "logfile": str(folder / "pgbouncer.log"),
            **{name: value.format(folder=folder) for name, value in settings.items()},
        }
        lines = [f"{name} = {value}" for name, value in options.items()]
        self._ini = folder / "pgbouncer.ini"
        self._ini.write_text("\n".join(["[databases]", f"* = {pairs}", "[pgbouncer]", *lines, ""]))

    @classmethod
    @asynccontextmanager
    async def open(
        cls, server: str, *, files: Mapping[str, bytes] = MappingProxyType({}), **settings: str
    ) -> AsyncIterator[Self]:
        """A pooler before this server, up. Its folder has a short name, for the socket, and these files."""
        account = OsUser.fitting()
        with tempfile.TemporaryDirectory(prefix="pgb-") as name:
            folder = Path(name)
            for file, content in files.items():
                (folder / file).write_bytes(content)
            account.take(folder)
            pooler = cls(folder, server, **settings)
            try:
                await pooler.start()
                yield pooler
            finally:
                pooler.kill()

    def url(self, server: str, *, tcp: bool = False) -> str:
        """The database of this URL, through the pooler."""
        host = "127.0.0.1" if tcp else quote(str(self._folder), safe="")
        return f"postgresql://tracker@/{self.database(server)}?host={host}&port={self.port}"

    @staticmethod
    def database(server: str) -> str:
        """The name in this URL."""
        return parse_qs(urlsplit(asyncpg_url(server)).query)["dbname"][0]

    async def start(self) -> None:
        """Returns when it accepts connections."""
        assert PROGRAM is not None
        with (self._folder / "output.log").open("ab") as output:
            self._process = OsUser.fitting().popen([PROGRAM, str(self._ini)], output)
        process = self._process

        def is_up() -> bool:
            assert process.poll() is None, (self._folder / "output.log").read_text()
            return self._is_up()

        await until(is_up, UP_WITHIN)

    def kill(self) -> None:
        """-9: every connection is cut."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        (self._folder / f".s.PGSQL.{self.port}").unlink(missing_ok=True)

    def _is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0):
                return True
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
