"""The embedded PostgreSQL: found, shared, adopted after a kill, stopped by whoever leaves last."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import asyncpg
import pytest
import pytest_asyncio

from tests.test_fix_recorder import Bench, fix
from tests.waiting import until
from tracker.database import Database
from tracker.database.migrations import migrate
from tracker.domain.tracks.fix import Fix
from tracker.errors import ConfigError, StorageUnavailable
from tracker.fix_recorder import FixRecorder, Recorded
from tracker.postgres import server
from tracker.postgres.data_files import OsUser, Postmaster
from tracker.postgres.programs import installed
from tracker.postgres.server import embedded

# A service that enters the context, says so, and holds it until its standard input ends.
SERVICE = """
import asyncio, sys
from pathlib import Path
from tracker.postgres import watchdog
from tracker.postgres.server import embedded

watchdog.ADOPTED_WITHIN_S = int(sys.argv[2])

async def main():
    async with embedded(Path(sys.argv[1]), lambda words: None) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def empty_folder(tmp_path: Path) -> Path:
    """A data folder before its set-up, whose path is far too long for a socket."""
    return tmp_path / ("long-" * 20) / "data"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a server that was set up and has ended."""
    made = tmp_path_factory.mktemp("set-up")
    async with embedded(made, quiet):
        pass
    return made / "postgres"


@pytest.fixture
def folder(empty_folder: Path, set_up: Path) -> Path:
    """Such a data folder after its set-up; a copy takes far less processor time."""
    empty_folder.mkdir(parents=True)
    subprocess.run(["cp", "-a", set_up, empty_folder / "postgres"], check=True)  # with owners
    return empty_folder


def quiet(_words: str) -> None:
    """Nobody wants to hear of progress here."""


def pid_of(folder: Path) -> int:
    postmaster = Postmaster.read(folder / "postgres")
    assert postmaster is not None
    return postmaster.pid


async def answer(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        number: int = await connection.fetchval("SELECT 42")
        return number
    finally:
        await connection.close()


@asynccontextmanager
async def retrying(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, as soon as somebody answers."""

    async def connected() -> asyncpg.Connection | None:
        with suppress(OSError, asyncpg.PostgresError):
            return await asyncpg.connect(url)
        return None

    connection = await until(connected)
    assert connection is not None
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def frozen(postmaster: int) -> Iterator[None]:
    """Stops the server and all its sessions, as a hanging disk would, and lets them go on afterwards."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    pids = [postmaster, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def service(
    folder: Path, adopted_within: int = 60, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that uses the server of that folder; ended in order unless it is dead by then."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE, folder, str(adopted_within)),
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert (await asyncio.wait_for(process.stdout.readline(), 60)).startswith(b"postgresql://")
        yield process
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def test_it_answers_on_a_private_socket_only_and_ends_with_its_user(empty_folder: Path) -> None:
    """There is no TCP port, the socket's folder is closed to others, and nothing runs afterwards."""
    words: list[str] = []
    async with embedded(empty_folder, words.append) as url:
        assert await answer(url) == 42
        postmaster = Postmaster.read(empty_folder / "postgres")
        assert postmaster is not None
        assert stat.S_IMODE(postmaster.sockets.stat().st_mode) == 0o700
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await connection.close()
    assert not postmaster.alive()
    assert "Setting up" in words[0]
    assert words[1] == f"Starting the database ({next(installed())}) …"


async def test_the_second_start_is_quick_and_finds_the_data(empty_folder: Path) -> None:
    """Set-up is done once; what was stored is there again within 3 seconds."""
    async with embedded(empty_folder, quiet) as url:
        await migrate(url)
    began = monotonic()
    async with embedded(empty_folder, quiet) as url:
        assert await migrate(url) == []
    assert monotonic() - began < 3


async def test_a_server_outlives_a_killed_service_and_is_adopted(folder: Path) -> None:
    """After kill -9 the server goes on; the next service uses it, and stops it at its end."""
    async with service(folder) as process:
        before = pid_of(folder)
        process.kill()
        await process.wait()
    async with embedded(folder, quiet) as url:
        assert await answer(url) == 42
        assert pid_of(folder) == before
        postmaster = Postmaster.read(folder / "postgres")
    assert postmaster is not None
    assert not postmaster.alive()


async def test_a_server_that_nobody_adopts_is_stopped(folder: Path) -> None:
    """After -9 to its service, and a pause for a restart; the watchdog ends with it."""
    async with service(folder, adopted_within=1) as process:
        postmaster = Postmaster.read(folder / "postgres")
        assert postmaster is not None
        await watched(folder)
        process.kill()
        await process.wait()
        assert postmaster.alive()
        await until(lambda: not postmaster.alive() and not watchdogs(folder), 30)


async def test_a_server_in_use_is_not_stopped(folder: Path) -> None:
    """The service that started it is dead, and another has adopted it."""
    async with service(folder, adopted_within=1) as process, service(folder, adopted_within=1):
        before = pid_of(folder)
        await watched(folder)
        process.kill()
        await process.wait()
        for _ in range(40):
            assert watchdogs(folder)
            await asyncio.sleep(0.1)  # simulates a service at work
        assert pid_of(folder) == before


async def watched(folder: Path) -> None:
    """Until the watchdog has begun."""
    await until(lambda: watchdogs(folder), 10)


def watchdogs(folder: Path) -> list[int]:
    """The watchdogs of this folder's server."""
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdecimal() and is_watchdog(process, folder)
    ]


def is_watchdog(process: Path, folder: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"tracker-postgres-watchdog" in words and bytes(folder / "postgres") in words


async def test_its_log_does_not_grow_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, a long log moves aside, and the server goes on writing to the same file."""
    monkeypatch.setattr(server, "LOG_LIMIT", 20_000)
    log = folder / "postgres.log"
    async with embedded(folder, quiet) as url:
        connection = await asyncpg.connect(url)
        chatter = "DO $$ BEGIN FOR n IN 1..200 LOOP RAISE LOG 'round %', n; END LOOP; END $$"
        async with asyncio.timeout(30):
            for _ in range(2):
                (folder / "postgres.log.1").unlink(missing_ok=True)
                while not (folder / "postgres.log.1").exists():
                    await connection.execute(chatter)
                await until(lambda: log.stat().st_size < 20_000)  # it is emptied after the copy
        await connection.execute("DO $$ BEGIN RAISE LOG 'the last word'; END $$")
        await connection.close()
    assert "the last word" in log.read_text()
    assert log.stat().st_size < 200_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
async def test_root_needs_no_namespace_for_a_folder_of_its_own(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers forbid namespaces, and `nobody` cannot enter /root, where root's clones often are."""
    empty_folder.mkdir(parents=True)
    empty_folder.parent.chmod(0o700)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "unshare" else f"/usr/bin/{name}")
    assert OsUser.fitting(Path("/")) == OsUser(uid=65534, gid=65534)  # no capability where it needs none
    async with embedded(empty_folder, quiet) as url:
        assert await answer(url) == 42
        assert Path(f"/proc/{pid_of(empty_folder)}").stat().st_uid != 0
        finds = f"import os; assert os.access({str(empty_folder)!r}, os.X_OK)"  # as initdb finds its programs
        with (empty_folder / "output").open("w+b") as output:
            assert not OsUser.fitting(empty_folder).popen([sys.executable, "-c", finds], output).wait()
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ConfigError, match="cannot enter"):
        OsUser.fitting(empty_folder)


async def test_who_leaves_last_stops_it(folder: Path) -> None:
    """Two services share one server: the first to leave, though it started it, leaves it running."""
    async with service(folder) as first, service(folder) as second:
        assert first.stdin is not None
        first.stdin.close()
        await asyncio.wait_for(first.wait(), 30)
        postmaster = Postmaster.read(folder / "postgres")
        assert postmaster is not None
        assert postmaster.alive()
        assert second.returncode is None
    assert not postmaster.alive()


async def test_a_command_with_another_temporary_folder_finds_the_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """systemd gives the service a private /tmp; a command from outside must use its server, not stop it."""
    with TemporaryDirectory(dir="/tmp", prefix="t-") as short:
        async with service(Path(short)) as first:
            postmaster = Postmaster.read(Path(short, "postgres"))
            assert postmaster is not None
            assert postmaster.sockets.parent == Path(short)
            async with service(Path(short), TMPDIR=str(tmp_path_factory.mktemp("other"))):
                assert pid_of(Path(short)) == postmaster.pid
            assert first.returncode is None
        assert not postmaster.sockets.exists()


async def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    """The server is in a session of its own, where no terminal's signal goes."""
    async with embedded(folder, quiet):
        pid = pid_of(folder)
        assert os.getsid(pid) == pid != os.getsid(0)


async def test_a_killed_server_is_started_again(folder: Path) -> None:
    """After kill -9 of the server it is back by itself, with its data, for those who use it already."""
    async with embedded(folder, quiet) as url, service(folder):
        await migrate(url)
        os.kill(pid_of(folder), signal.SIGKILL)
        async with asyncio.timeout(10), retrying(url) as connection:
            assert await connection.fetchval("SELECT count(*) FROM migrations") > 0


async def test_a_number_given_again_is_no_server(folder: Path) -> None:
    """A postmaster.pid with the number of some other living process is stale."""
    async with embedded(folder, quiet):
        old = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    (folder / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *old[1:]]) + "\n")
    async with embedded(folder, quiet) as url:
        assert await answer(url) == 42


async def test_half_a_set_up_is_done_again(empty_folder: Path) -> None:
    """What a killed set-up left behind is thrown away."""
    (empty_folder / "postgres.new" / "base").mkdir(parents=True)
    async with embedded(empty_folder, quiet) as url:
        assert await answer(url) == 42


async def test_a_server_that_cannot_start_says_where_to_look(folder: Path) -> None:
    """A broken data folder ends in an error that names the log, not in waiting."""
    async with embedded(folder, quiet):
        pass
    (folder / "postgres" / "postgresql.conf").write_text("no setting\n")
    with pytest.raises(StorageUnavailable, match=r"postgres\.log"):
        async with embedded(folder, quiet):
            pass


async def test_nobody_there_and_wrong_urls_are_told_apart(postgres: str) -> None:
    """A server that is away may come back; a database that does not exist needs another DATABASE_URL."""
    with pytest.raises(StorageUnavailable):
        async with Database.open("postgresql://127.0.0.1:1/nothing"):
            pass
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        async with Database.open(postgres.replace("/postgres?", "/no_such_database?")):
            pass


async def until_stored(bench: Bench, driver: int, one: Fix) -> Recorded:
    """As a device does: what was not acknowledged is sent again."""

    async def recorded() -> Recorded | None:
        with suppress(StorageUnavailable):
            return await bench.record(driver, one)
        return None

    stored = await until(recorded, 30)
    assert stored is not None
    return stored


async def test_the_recorder_survives_the_death_of_the_server(folder: Path) -> None:
    """While the server is away nothing is acknowledged; once it is back everything is stored exactly once."""
    async with embedded(folder, quiet) as url:
        await migrate(url)
        async with Database.open(url) as database, FixRecorder(database) as recorder:
            bench = Bench(database, recorder)
            driver = await bench.driver()
            await bench.record(driver, fix(0))
            os.kill(pid_of(folder), signal.SIGKILL)
            async with asyncio.timeout(30.0):
                done = await asyncio.gather(*(until_stored(bench, driver, fix(n)) for n in range(1, 100)))
            assert sum(one.stored + one.duplicates for one in done) == 99
            assert await bench.count() == 100


async def test_a_frozen_server_ends_calls_in_time(folder: Path) -> None:
    """While the server hangs calls end within 6 seconds, and all works again afterwards."""
    async with embedded(folder, quiet) as url:
        await migrate(url)
        async with Database.open(url) as database, FixRecorder(database) as recorder:
            bench = Bench(database, recorder)
            driver = await bench.driver()
            await bench.record(driver, fix(0))
            with frozen(pid_of(folder)):
                began = monotonic()
                calls = (bench.record(driver, fix(1)), database.fetchval("count_fixes_in_default"))
                done = await asyncio.gather(*calls, return_exceptions=True)
                assert [type(one) for one in done] == [StorageUnavailable] * 2
                assert monotonic() - began < 6
            await bench.record(driver, fix(1), fix(2))
            assert await bench.count() == 3
