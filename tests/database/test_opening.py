"""Opening a connection: waiting for a server that starts, and failing at once where waiting is no use."""

import asyncio
import socket

import pytest

from tests.database.odd_server import odd_server, refusal, version
from tests.waiting import until
from tracker.database.connection import opening
from tracker.database.connection.opening import connect, wait_for_database
from tracker.database.migrations import migrate, pending
from tracker.errors import ConfigError, StorageUnavailable

STARTING = refusal("57P03", "the database system is starting up")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal("28P01", 'password authentication failed for user "u"'), "correct the user or the password"),
        (refusal("3D000", 'database "d" does not exist'), "create it, or correct its name"),
        (refusal("28000", 'role "u" does not exist'), "create the user, or correct its name"),
        (refusal("28000", 'no pg_hba.conf entry for host "1"'), "allow this user, database and address"),
        (refusal("08P01", "no such user: u"), "create the user, or correct its name"),
        (refusal("08P01", "unsupported startup parameter: x"), "ignore_startup_parameters"),
    ],
)
async def test_a_wrong_setting_stops_the_start_at_once_with_the_fix(answer: bytes, says: str) -> None:
    """Nothing is waited for: only a person can help."""
    told: list[str] = []
    async with odd_server(answer) as url:
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: ") as refused:
            await wait_for_database(url, told.append)
    assert says in str(refused.value)
    assert told == []


@pytest.mark.parametrize(
    "answer",
    [STARTING, refusal("08P01", "server login has been failing"), refusal("53300", "sorry, too many")],
)
async def test_a_server_that_starts_is_waited_for(
    answer: bytes, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log gives the reason at once, and again with the time waited."""
    monkeypatch.setattr(opening, "RETRY_S", 0.01)
    monkeypatch.setattr(opening, "REPORT_S", 0.05)
    told: list[str] = []
    async with asyncio.timeout(20):
        async with odd_server(answer) as url:
            waiting = asyncio.create_task(wait_for_database(url, told.append))
            await until(lambda: len(told) >= 2)
        async with odd_server(version("17.2"), int(url.rpartition(":")[2].partition("/")[0])):
            await waiting
    assert "The database does not answer (" in told[0]
    assert "Waiting for it: 0 s of at most 300 s." in told[0]


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the bound the start fails, so that a service manager notices."""
    monkeypatch.setattr(opening, "WAIT_S", 0.05)
    monkeypatch.setattr(opening, "RETRY_S", 0.01)
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        told: list[str] = []
        with pytest.raises(StorageUnavailable, match=r"is it running"):
            await wait_for_database(f"postgresql://u@127.0.0.1:{taken.getsockname()[1]}/d", told.append)
    assert told


@pytest.mark.parametrize("command", [migrate, pending])
async def test_an_old_server_is_refused_in_one_sentence(command: object) -> None:
    """PostgreSQL 14, whether the start migrates or not."""
    async with odd_server(version("14.9")) as url:
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: is PostgreSQL 14; 15 or newer is needed$"):
            await command(url)  # type: ignore[operator]


async def test_both_forms_of_the_setting_open_the_same_database(postgres: str) -> None:
    """A URL, and libpq's keywords."""
    async with connect(postgres) as session:
        name = await session.fetchval("SELECT current_database()")
        host, port = (
            await session.fetchval("SHOW unix_socket_directories"),
            await session.fetchval("SHOW port"),
        )
    if not host:
        pytest.skip("the given server has no Unix socket")
    async with connect(
        f"host={host.strip(chr(34))} port={port} user=tracker dbname='{name}' application_name=shop"
    ) as session:
        assert await session.fetchval("SELECT current_database()") == name
        assert await session.fetchval("SHOW application_name") == "shop"
