"""Node: the real `tracker serve` as a process that is killed, frozen and started again on the same data."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from tests.fork_server import ServiceProcess, started
from tests.privacy.recording import recorded
from tests.service import ADMIN_KEY, SECRET, url_in
from tests.waiting import until

UP_WITHIN: Final = 120.0  # seconds; the first start draws the map
ENDS_WITHIN: Final = 20.0  # seconds after SIGTERM, as the contract says
FORESEEN: Final = frozenset(  # what the faults make it say: the database is away, a partition is missing
    {
        *("maintenance_failed", "driver_drain_timed_out", "notification_failed", "link_open_failed"),
        *("forecasts_delayed", "training_delayed", "request_failed", "fixes_without_partition"),
        *(
            "milestones_delayed",
            "access_points_delayed",
            "speed_factors_delayed",
            "stuck_order_report_failed",
            "customer_erasure_failed",
            "event_feed_delayed",
            "webhooks_delayed",
            "forecast_reports_delayed",
        ),
        *("bus_disconnected", "bus_failed", "leases_lost"),  # as the faults of several nodes want it
    }
)


class Held(msgspec.Struct, frozen=True):
    """What the kernel says that a process holds."""

    files: int
    sockets: int  # of TCP, to clients
    threads: int
    rss_mb: float


class Node:
    """One node, whoever plays it: `module` is `tracker`, or a mutant of it."""

    def __init__(
        self,
        folder: Path,
        data_dir: Path,
        database_url: str,
        module: str = "tracker",
        *,
        settings: Mapping[str, str] | None = None,
        namespace: str = "",
        is_judged: bool = False,
    ) -> None:
        """It runs in the network *namespace*, if there is one. *is_judged*: everybody reaches it through a
        relay, and what it says is held against the rules of privacy."""
        self._folder = folder
        self._module = module
        self._namespace, self._is_judged = namespace, is_judged
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "TRACKER_DATA_DIR": str(data_dir),
            "TRACKER_BIND": "127.0.0.1:0",
            "TRACKER_ADMIN_KEY": ADMIN_KEY,
            "TRACKER_SECRET": SECRET,
            **(settings or {}),
        }
        self.idle: Held | None = None  # what it held before anybody came
        self.port = 0  # where it is reached on 127.0.0.1
        self._own_port = 0
        self._relays = ExitStack()
        self.logs: list[Path] = []
        self.process: ServiceProcess | None = None

    async def start(self, module: str | None = None) -> None:
        """Returns when it is ready."""
        log = self._folder / f"serve-{len(self.logs)}.log"
        self.logs.append(log)
        self._relays.close()
        process = self.process = await started(
            module or self._module, self._environment, log, self._namespace
        )

        def announced() -> str:
            assert process.returncode is None, f"the service did not start:\n{log.read_text()}"
            return self._announced(log)

        url = await until(announced, UP_WITHIN)
        self._own_port = _port(url)
        self.port = _port(self._relays.enter_context(recorded(url, log))) if self._is_judged else _port(url)
        await until(self.is_ready, UP_WITHIN)
        if self.idle is None:
            self.idle = self.held()

    @staticmethod
    def _announced(log: Path) -> str:
        lines = log.read_text(errors="replace").splitlines()
        return next((url for line in lines if (url := url_in(line))), "")

    async def is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            async with self.merchant(timeout=5.0) as http:
                return (await http.get("/readyz")).is_success
        return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def merchant(self, timeout: float = 30.0) -> httpx.AsyncClient:
        """A client with every right, straight to the service; `async with` it."""
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Connection": "close"}
        url = f"http://127.0.0.1:{self.port}"
        plain = False  # a TLS context takes 20 ms of processor time to make
        return httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout, trust_env=False, verify=plain
        )

    async def metrics(self) -> dict[str, float]:
        async with self.merchant() as http:
            lines = (await http.get("/metrics")).text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    # --- what is done to it

    async def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    async def terminate(self) -> int:
        """SIGTERM; the exit code. Raises TimeoutError where it takes longer than it may."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(ENDS_WITHIN):
            return await self.process.wait()

    async def end(self) -> None:
        """In whatever state it is."""
        if self.is_running:
            self.thaw()
            try:
                await self.terminate()
            except TimeoutError:
                await self.kill()
        self._relays.close()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    # --- what it leaves

    def held(self) -> Held:
        process = Path(f"/proc/{self.pid}")
        links = [self._target(file) for file in (process / "fd").iterdir()]
        inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return Held(len(links), self._clients(process, inodes), int(status["Threads"]), self.rss_mb())

    def rss_mb(self) -> float:
        """Cheap enough to ask often, beside a measurement."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @staticmethod
    def _target(file: Path) -> str:
        try:
            return str(file.readlink())
        except OSError:  # closed meanwhile
            return ""

    def _clients(self, process: Path, inodes: set[str]) -> int:
        rows = [line.split() for line in (process / "net/tcp").read_text().splitlines()[1:]]
        own = f":{self._own_port:04X}"
        return sum(
            row[9] in inodes and row[1].endswith(own) and row[3] != "0A"  # 0A: LISTEN
            for row in rows
        )

    def unexpected_words(self) -> list[str]:
        """Lines of its logs that tell of something that nobody foresaw."""
        return [
            f"{log.name}: {line[:300]}"
            for log in self.logs
            for line in log.read_text(errors="replace").splitlines()
            if _is_unexpected(line)
        ]


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def _is_unexpected(line: str) -> bool:
    said = _event(line)
    if said is None:
        words = line.lower()
        return any(word in words for word in ("traceback", "exception", "error", "never awaited", "warning"))
    if said.get("level") not in {"warning", "error", "critical"} or said.get("event") in FORESEEN:
        return False
    if str(said.get("crash", "")).startswith("ConnectionDoesNotExistError"):
        return False  # PostgreSQL has ended the session of a service that was frozen in a transaction
    return not str(said.get("why", "")).startswith("The database ")


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        said = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return said if isinstance(said, dict) else None
