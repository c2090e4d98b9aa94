"""`tracker demo`: everything in one process tree, which ends whole."""

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

START_WITHIN = 120.0  # seconds; the first start draws the map
END_WITHIN = 40.0


class Demo:
    """A demo in a process group of its own, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, words: str, within: float = START_WITHIN) -> str:
        """The next line with these words; all before it are kept."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip())
                if words in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"it never said {words!r}:\n" + "\n".join(self.lines))

    def children(self) -> dict[str, int]:
        """Process ids of the service and of the couriers' program."""
        found = {}
        for pid in _descendants(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"serve" in command:
                found["service"] = pid
            if b"driver_sim" in command:
                found["couriers"] = pid
        return found

    async def end(self, number: signal.Signals) -> int:
        """The exit code after a signal to the whole group, as a terminal sends it."""
        os.killpg(self.process.pid, number)
        async with asyncio.timeout(END_WITHIN):
            out, _ = await self.process.communicate()
        self.lines += out.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def demo(data_dir: Path, database_url: str, **settings: str) -> AsyncIterator[Demo]:
    environment = {**os.environ, "TRACKER_DATA_DIR": str(data_dir), "DATABASE_URL": database_url, **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", "demo", "--drivers", "2"),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Demo(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()  # its children end with it
        await process.wait()


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [one for child in map(int, children) for one in (child, *_descendants(child))]


def running(pid: int) -> bool:
    """Whether a process is still there (a zombie is not)."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")


async def test_a_second_demo_names_the_first(data_dir: Path, database_url: str) -> None:
    """Two would serve the same database; the second says where the first runs, and ends."""
    port = free_port()
    async with demo(data_dir, database_url, PORT=str(port)) as first:
        await first.until("Starting the service")
        async with demo(data_dir, database_url, PORT=str(free_port())) as second:
            said = await second.until("already runs")
            assert f"http://127.0.0.1:{port}." in said
            assert await second.process.wait() == 1
    async with demo(data_dir, database_url, PORT=str(free_port())) as third:
        await third.until("Starting the service")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
async def test_the_printed_commands_work_in_any_folder(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    """Another terminal may be in another folder than the demo, whose data folder is relative."""
    relative = os.path.relpath(data_dir)
    async with demo(data_dir, database_url, PORT=str(free_port()), TRACKER_DATA_DIR=relative) as it:
        command = (await it.until("The order's history")).partition("history")[2]
        printed = await asyncio.to_thread(
            subprocess.check_output, command, shell=True, cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        assert "timeline" in json.loads(printed)


@needs_proc
async def test_the_demo_shows_links_and_ends_whole(data_dir: Path, database_url: str) -> None:
    """It prints a link that works, and a signal ends every process of it, without a traceback, with 0."""
    async with demo(data_dir, database_url, PORT=str(free_port())) as it:
        link = (await it.until("The map of a customer")).split()[-1]
        await it.until("Ctrl-C ends")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(link.replace("/t/", "/v1/track/"))).json()["order"]["status"] == "assigned"
        await check_it_ends_whole(it, signal.SIGTERM)
    key = data_dir / "demo-admin-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


async def check_it_ends_whole(it: Demo, number: signal.Signals) -> None:
    children = it.children()
    assert set(children) == {"service", "couriers"}
    assert await it.end(number) == 0
    assert "Traceback" not in "\n".join(it.lines)
    assert not [name for name, pid in children.items() if running(pid)]


@needs_proc
async def test_the_simulator_can_be_tried_beside_the_demo(data_dir: Path, database_url: str) -> None:
    """As the README does, with the demo's key: both have couriers of their own."""
    port = free_port()
    async with demo(data_dir, database_url, PORT=str(port)) as it:
        await it.until("Ctrl-C ends")
        key = (data_dir / "demo-admin-key").read_text().strip()
        command = (
            *("-m", "driver_sim", "run", "--drivers", "2", "--duration", "3"),
            *("--url", f"http://127.0.0.1:{port}", "--api-key", key),
        )
        simulator = await asyncio.create_subprocess_exec(sys.executable, *command)
        async with asyncio.timeout(START_WITHIN):
            assert await simulator.wait() == 0
        await check_it_ends_whole(it, signal.SIGINT)
        assert "4001" not in "\n".join(it.lines)


@needs_proc
async def test_a_dead_child_ends_the_demo_with_its_last_words(data_dir: Path, database_url: str) -> None:
    """Where the service dies, the demo says so and what it said, and ends with an error."""
    async with demo(data_dir, database_url, PORT=str(free_port())) as it:
        await it.until("Ctrl-C ends")
        children = it.children()
        os.kill(children["service"], signal.SIGKILL)
        await it.until("The service ended with code -9", within=END_WITHIN)
        async with asyncio.timeout(END_WITHIN):
            await it.process.communicate()
        assert it.process.returncode == 1
        assert not running(children["couriers"])


async def test_a_taken_port_is_said_and_the_next_one_used(data_dir: Path, database_url: str) -> None:
    """The demo starts although the port is taken, and says which one it uses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        async with demo(data_dir, database_url, PORT=str(port)) as it:
            assert f"Port {port} is taken" in await it.until("is taken")
            at = (await it.until("Starting the service on")).partition(" on ")[2].partition(";")[0]
            assert int(at.rpartition(":")[2]) > port
            await it.until("ready after")
            assert await it.end(signal.SIGINT) == 0


@pytest.mark.parametrize("port", ["eighty", "0", "65536"])
async def test_a_wrong_port_is_named(data_dir: Path, database_url: str, port: str) -> None:
    """A PORT that cannot be is an error in one sentence."""
    async with demo(data_dir, database_url, PORT=port) as it:
        await it.until("PORT")
        assert "Traceback" not in "\n".join(it.lines)
        assert await it.process.wait() != 0
