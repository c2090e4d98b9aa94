"""Connections: transactions, jsonb, and the one translation of errors."""

import asyncio

import asyncpg
import pytest

from tests.waiting import until
from tracker.database import Database
from tracker.database.migrations import pending
from tracker.errors import ConfigError, StorageUnavailable

INSERT_DRIVER = "INSERT INTO drivers (id, name, vehicle) VALUES ('drv_1', 'a', 'car')"


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    """An exception inside a transaction rolls it back and passes through as it is."""
    with pytest.raises(LookupError):
        async with database.transaction() as connection:
            await connection.raw.execute(INSERT_DRIVER)
            raise LookupError
    assert await database.pool.fetchval("SELECT count(*) FROM drivers") == 0


async def test_a_finished_block_is_committed(database: Database) -> None:
    """What a block did is there for everybody afterwards."""
    async with database.transaction() as connection:
        await connection.raw.execute(INSERT_DRIVER)
    assert await database.pool.fetchval("SELECT count(*) FROM drivers") == 1


async def test_jsonb_comes_back_as_it_went_in(database: Database) -> None:
    """jsonb columns take and give plain values."""
    value = {"a": [1, 2.5, None, "ä"], "b": {}}
    assert await database.pool.fetchval("SELECT $1::jsonb", value) == value


async def test_a_cut_connection_is_told_once_and_replaced(database: Database) -> None:
    """Whoever held a connection that died gets StorageUnavailable; the next call gets a new one."""
    with pytest.raises(StorageUnavailable):
        async with database.transaction() as connection:
            pid = await connection.raw.fetchval("SELECT pg_backend_pid()")
            await database.ingest.execute("SELECT pg_terminate_backend($1)", pid)
            await connection.fetchval("count_fixes_in_default")
    assert await database.fetchval("count_fixes_in_default") == 0


async def test_our_own_mistakes_are_not_the_storages_fault(database: Database) -> None:
    """A wrong argument or a broken constraint stays what it is."""
    with pytest.raises(asyncpg.DataError):
        await database.fetchval("ensure_fix_partition", "not a day")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as connection:
            await connection.raw.execute(INSERT_DRIVER)
            await connection.raw.execute(INSERT_DRIVER)


async def test_slow_readers_do_not_take_the_recorders_connections(database: Database) -> None:
    """With every connection of the API taken the next caller waits in vain, and ingest goes on."""
    held = [await database.pool.acquire() for _ in range(database.pool.get_max_size())]
    with pytest.raises(StorageUnavailable):
        await database.fetchval("count_fixes_in_default")
    assert await database.ingest.fetchval("SELECT 1") == 1
    for connection in held:
        await database.pool.release(connection)


async def test_a_server_without_tls_is_told_from_one_that_is_away() -> None:
    """The first is a matter of the setting, and the second may pass."""

    async def refuse_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # SSLRequest
        writer.write(b"N")
        writer.close()

    server = await asyncio.start_server(refuse_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: .*leave out sslmode"):
            await pending(f"postgresql://u@127.0.0.1:{port}/db?sslmode=require")
    with pytest.raises(StorageUnavailable, match=r"Connect call failed.*is DATABASE_URL right"):
        await pending(f"postgresql://u@127.0.0.1:{port}/db")


async def test_the_usage_of_a_pool_counts_used_idle_and_waiting(database: Database) -> None:
    """asyncpg keeps the waiting ones to itself; a version that counts otherwise fails here."""
    size = database.pool.get_max_size()
    held = [await database.pool.acquire() for _ in range(size)]
    waiting = [asyncio.create_task(database.fetchval("ping")) for _ in range(2)]
    await until(lambda: database.usage()["api"].waiting == 2)
    assert database.usage()["api"] == (size, 0, 2)
    assert database.usage()["ingest"].used == 0
    for raw in held:
        await database.pool.release(raw)
    await asyncio.gather(*waiting)
    await until(lambda: database.usage()["api"] == (0, database.pool.get_size(), 0))
