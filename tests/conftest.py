"""What the tests share: a real PostgreSQL, and a fresh migrated database for each test that asks for one."""

import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit
from warnings import catch_warnings

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import settings
from playwright.async_api import Browser

from tests import hasty_node
from tests.browser import CHROMIUM, launched
from tests.kept_map import KeptMap
from tests.privacy.recording import last_verdict
from tests.service import Service, running_service
from tracker.database import Database
from tracker.database.migrations import migrate
from tracker.postgres.server import SETTINGS, embedded

ROOT = Path(__file__).parent.parent
LONGEST = {"test_drive.py", "test_drive_states.py", "test_page.py", "test_schemathesis.py"}  # modules
SHOWN = 5  # violations of one test
FOR_POWER_FAILURES = ("fsync", "full_page_writes")
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 3_000_000_000  # bytes; a server takes up to half of it
IN_MEMORY = "tracker-tests-"
# A server to use instead of an embedded one. Taken out: the service refuses names that it doesn't know.
GIVEN_SERVER = os.environ.pop("TRACKER_TEST_DATABASE_URL", None)
# Otherwise each service that a test starts would compile all its modules again, which takes half its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # processes with threads are not forked: tests/fork_server.py

settings.register_profile("suite", deadline=None)  # other work on the machine is no fault of an example
settings.load_profile("suite")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_configure_node(node: Any) -> None:
    """For one of several processes, whose environment lacks it already."""
    node.workerinput["server"] = GIVEN_SERVER


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import the test modules, each of several processes from another one on.

    pytest rewrites the assertions of each module that has no cache yet. In a fresh clone that is half of the
    collection. From different places on, the processes share that work; otherwise each does all of it.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    modules = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "tests").rglob("test_*.py"))
    start = len(modules) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    with catch_warnings(action="error"):  # as in the collection
        for module in modules[start:] + modules[:start]:
            with suppress(Exception, pytest.skip.Exception):  # the collection reports it
                import_module(".".join(module.parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules, so that at the end no process is alone with one."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a developer's machine a test may lack a program. CI installs all of them, so there it fails."""
    report = yield
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if os.environ.get("CI") == "true" and "apt-get install" in reason:
        report.outcome = "failed"
        report.longrepr = f"{reason}, and CI may not skip it: see .ci/run"
    return report


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Whatever a test is about: the service said nothing in it that the rules of privacy forbid."""
    yield
    violations = last_verdict()
    if violations:
        pytest.fail("\n".join(map(str, violations[:SHOWN])), pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """The URL of a server that all tests share, in this process."""
    given = getattr(pytestconfig, "workerinput", {}).get("server", GIVEN_SERVER)
    if given:
        yield given
        return
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(server_folder(tmp_path_factory))
        with pytest.MonkeyPatch.context() as patch:
            for name in FOR_POWER_FAILURES:  # no test of this server has one
                patch.setitem(SETTINGS, name, "off")
            url = await stack.enter_async_context(embedded(folder, print))
        yield url


@contextmanager
def server_folder(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder in memory if there is room: there a new database takes a fifth of the processor time."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_NEEDED:
        yield factory.mktemp("server")
        return
    for old in MEMORY.glob(f"{IN_MEMORY}*"):
        if not Path("/proc", old.name.removeprefix(IN_MEMORY)).exists():  # of tests that were killed
            shutil.rmtree(old, ignore_errors=True)
    folder = MEMORY / f"{IN_MEMORY}{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(postgres: str) -> AsyncIterator[str]:
    """The name of a migrated database to copy from."""
    async with temporary_database(postgres) as url:
        await migrate(url)
        yield urlsplit(url).path.lstrip("/")


@pytest.fixture
async def empty_database_url(postgres: str) -> AsyncIterator[str]:
    """A database of this test's own, without a schema."""
    async with temporary_database(postgres) as url:
        yield url


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """A migrated database of this test's own."""
    async with temporary_database(postgres, template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The connections to a migrated database of this test's own."""
    async with Database.open(database_url) as database:
        yield database


@asynccontextmanager
async def temporary_database(server: str, template: str = "template1") -> AsyncIterator[str]:
    """Makes a database on the server, yields its URL, and drops it whoever is still connected."""
    name = f"test_{os.getpid()}_{token_hex(4)}"
    async with _connected(server) as connection:
        # A copy of the files takes a third of the processor time, but where they are synced it takes longer.
        strategy = "WAL_LOG" if await connection.fetchval("SHOW fsync") == "on" else "FILE_COPY"
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY {strategy}')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        async with _connected(server) as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def data_dir(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that all started services share, in all processes: the map is prepared in it once.

    Later runs find the prepared map in pytest's cache, until the code that prepares it changes.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        folder = folder.parent
    shared = folder / "data"
    assert pytestconfig.cache is not None
    kept = KeptMap(pytestconfig.cache.mkdir("prepared-map"))
    kept.fill(shared)
    yield shared
    kept.keep(shared)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service_database(postgres: str, template: str) -> AsyncIterator[str]:
    """The database of `service`."""
    async with temporary_database(postgres, template) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_database(postgres: str, template: str) -> AsyncIterator[str]:
    """The database of a module's own service. Two services on one database are two nodes, without a bus."""
    async with temporary_database(postgres, template) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(data_dir: Path, service_database: str) -> AsyncIterator[Service]:
    """A running node that tests share: each makes its own drivers and orders."""
    async with running_service(data_dir, service_database) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty_database(postgres: str, template: str) -> AsyncIterator[str]:
    """The database of `hasty_service`."""
    async with temporary_database(postgres, template) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty_service(data_dir: Path, hasty_database: str) -> AsyncIterator[Service]:
    """A node that tests share whose time limits are short; see `tests/hasty_node.py`."""
    async with running_service(data_dir, hasty_database, program=hasty_node.PROGRAM) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium that all tests of pages share."""
    async with launched() as chromium:
        yield chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_browser() -> AsyncIterator[Browser]:
    """A Chromium with notices, and with letters as people see them: for tests of these."""
    async with launched(CHROMIUM) as chromium:
        yield chromium
