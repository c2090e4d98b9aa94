"""A signal during any phase of the start: exit status 0, no process left, and the next start works."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.service import url_in
from tests.waiting import until
from tracker.config import Config
from tracker.map.extract import find_map

ENDS_WITHIN: Final = 20.0  # seconds after the signal, as the contract says
START_WITHIN: Final = 120.0  # seconds
# With a tenth of the streets of the demo's map, which the long test has. Each phase still takes a second.
SMALL_MAP: Final = str(Path(__file__).parents[1] / "extracts" / "paris_bss.osm.pbf")
CAUGHT: Final = 1 << (signal.SIGTERM - 1)  # in SigCgt
PHASES: Final = (
    "Setting up the database",
    "Starting the database",
    "Database brought up to date",
    "Preparing the street network",
    "Street network: joining",
    "Map tiles:",
    "The street network is ready",
    "service_started",
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")


class Starting:
    """A `tracker serve` on its way, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stderr is not None
        async with asyncio.timeout(START_WITHIN):
            while raw := await self.process.stderr.readline():
                self.lines.append(raw.decode().rstrip())
                if words in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"it never said {words!r}:\n" + "\n".join(self.lines))

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        self.process.send_signal(number)
        async with asyncio.timeout(ENDS_WITHIN):
            _, rest = await self.process.communicate()
        self.lines += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def starting(data_dir: Path, **settings: str) -> AsyncIterator[Starting]:
    """With an embedded database and whatever else it needs, all of it below *data_dir*."""
    environment = {
        **os.environ,
        "TRACKER_DATA_DIR": str(data_dir),
        "TRACKER_BIND": "127.0.0.1:0",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", "serve"),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Starting(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def caught(pid: int) -> int:
    """The signals that a process handles, a bit each."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0], 16)


def processes_of(data_dir: Path) -> list[str]:
    """The command lines of all that work below *data_dir*, or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, told = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if command and str(data_dir).encode() in command + told:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def unfinished_of(data_dir: Path) -> list[Path]:
    """Half-made files: a start that was broken off takes them away."""
    return [
        path
        for pattern in ("*.part", "unfinished*", "postgres.new", "addresses.json.*")
        for path in data_dir.rglob(pattern)
    ]


async def broken_off(
    data_dir: Path, phase: str, number: signal.Signals = signal.SIGTERM, **settings: str
) -> None:
    """Start, send the signal once *phase* is told, and look at what is left."""
    async with starting(data_dir, **settings) as service:
        await service.until(phase)
        status = await service.end(number)
        assert (status, processes_of(data_dir)) == (0, []), "\n".join(service.lines)
        assert not [line for line in service.lines if "Traceback" in line or '"level": "error"' in line]
    assert unfinished_of(data_dir) == []


async def serves(data_dir: Path, **settings: str) -> None:
    """The next start works, and ends as well."""
    async with starting(data_dir, **settings) as service:
        url = url_in(await service.until("service_started"))
        async with httpx.AsyncClient(trust_env=False, timeout=START_WITHIN) as http:
            assert (await http.get(f"{url}/map/style.json")).is_success
            assert (await http.get(f"{url}/readyz")).json() == {"status": "ready"}
        assert await service.end() == 0
    assert processes_of(data_dir) == []


async def test_a_start_that_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """In the middle of the database's set-up, of the street network and of the map; then all is there."""
    for phase in ("Setting up the database", "Street network: joining", "Map tiles:"):
        await broken_off(tmp_path, phase, TRACKER_MAP=SMALL_MAP)
    await serves(tmp_path, TRACKER_MAP=SMALL_MAP)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_every_phase_can_be_broken_off(tmp_path: Path, number: signal.Signals) -> None:
    """Each with a data folder of its own, so that no phase finds what an earlier one made."""
    for n, phase in enumerate(PHASES):
        await broken_off(tmp_path / str(n), phase, number)
        await serves(tmp_path / str(n))


async def test_a_signal_while_the_program_is_loaded_ends_it(tmp_path: Path) -> None:
    """Before anything is open: status 0, without a word."""
    async with starting(tmp_path) as service:
        await until(lambda: bool(caught(service.process.pid) & CAUGHT))
        assert await service.end() == 0
        assert service.lines == []
    assert list(tmp_path.iterdir()) == []


async def test_a_signal_while_the_map_is_downloaded_ends_it(tmp_path: Path) -> None:
    """What has arrived is kept for the next start, which goes on with it."""
    content = find_map(Config()).path.read_bytes()

    async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Half of the map, then silence; the rest to a client that has the half."""
        asked = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)\r\nrange: bytes=(\d+)-", asked)
        begin = int(found[1]) if found else 0
        status = b"206 Partial Content" if begin else b"200 OK"
        length = len(content) - begin
        writer.write(b'HTTP/1.1 %b\r\nETag: "one"\r\nContent-Length: %d\r\n\r\n' % (status, length))
        writer.write(content[begin:] if begin else content[: length // 2])
        await writer.drain()
        with closing(writer), suppress(ConnectionError):
            await reader.read()  # until the client disconnects

    async with await asyncio.start_server(give, "127.0.0.1", 0) as web:
        url = f"http://127.0.0.1:{web.sockets[0].getsockname()[1]}/town.osm.pbf"
        async with starting(tmp_path, TRACKER_MAP=url) as service:
            await service.until("Downloading the map")
            assert (await service.end(), processes_of(tmp_path)) == (0, [])
        assert not list(tmp_path.rglob("*.pbf"))
        async with starting(tmp_path, TRACKER_MAP=url) as service:
            await service.until("The map town.osm.pbf is downloaded")
            assert await service.end() == 0
    assert [path.read_bytes() == content for path in tmp_path.rglob("*.pbf")] == [True]


@pytest.mark.long
@pytest.mark.parametrize("phase", ["Street network: joining", "Map tiles:"])
async def test_what_draws_the_map_ends_with_a_killed_service(tmp_path: Path, phase: str) -> None:
    """SIGKILL cannot be caught: the builders end by themselves, the database is the next start's."""
    async with starting(tmp_path) as service:
        await service.until(phase)
        assert await service.end(signal.SIGKILL) == -signal.SIGKILL
    await until(lambda: all("postgres" in command for command in processes_of(tmp_path)))
    await serves(tmp_path)
