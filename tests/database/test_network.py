"""The network between the service and the database drops connections without telling either side."""

import asyncio
import socket
from pathlib import Path
from time import monotonic

import pytest

from tests.database.middleboxes import firewall
from tests.service import hear, running_service, say
from tests.test_end_to_end import fix
from tracker.database import Database
from tracker.database.connection import session
from tracker.database.connection.opening import ACQUIRE_TIMEOUT, COMMAND_TIMEOUT, connect

HEALED_WITHIN = COMMAND_TIMEOUT + ACQUIRE_TIMEOUT + session.ANSWER_TIMEOUT_S  # as docs/database.md says
SPARE = 4.0  # seconds, for a loaded machine


async def test_idle_connections_that_were_dropped_cost_no_call(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every connection of the pool is dead: each call finds out before it uses one, and succeeds."""
    monkeypatch.setattr(session, "UNCHECKED_S", 0.0)
    async with firewall(database_url) as (wall, url), Database.open(url) as database:

        async def call() -> object:
            async with database.transaction() as connection:
                return await connection.raw.fetchval("SELECT pg_sleep(0.05) IS NULL")

        await asyncio.gather(*(call() for _ in range(8)))
        wall.forget()
        assert await asyncio.gather(*(call() for _ in range(8))) == [False] * 8


async def test_a_dropped_connection_closes_without_an_error(database_url: str) -> None:
    """The pool closes expired connections in tasks of its own, whose errors nobody would see."""
    async with firewall(database_url) as (wall, url), connect(url) as opened:
        wall.forget()
        await opened.close(timeout=0.1)
        assert opened.is_closed()


async def test_the_kernel_watches_each_tcp_connection(database_url: str) -> None:
    """Keepalive is on, with the values of DATABASE_URL or ours."""
    async with firewall(database_url) as (_, url):
        for more, idle in (("", 30), ("&keepalives_idle=7", 7)):
            async with connect(url + more) as opened:
                peer = opened._socket
                assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle
                assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        async with connect(f"{url}&keepalives=0") as opened:
            peer = opened._socket
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


async def test_a_service_heals_by_itself(database_url: str, data_dir: Path) -> None:
    """Requests and fixes at the moment of the cut: no 500, and all is well within the time in the docs."""
    async with firewall(database_url) as (wall, url), running_service(data_dir, url) as service:
        driver = await service.new_driver()
        async with service.drive(driver["token"]) as courier:
            await hear(courier, "welcome")
            await asyncio.gather(*(service.get("/v1/orders") for _ in range(8)))
            wall.forget()
            began = monotonic()
            await say(courier, type="fixes", id=1, fixes=[fix(0.0, 60.17, 24.94)])
            answers = await asyncio.gather(*(service.http.get("/v1/orders") for _ in range(8)))
            assert {answer.status_code for answer in answers} <= {200, 503}
            while (status := (await service.http.get("/v1/orders")).status_code) != 200:
                assert status == 503
            assert monotonic() - began < HEALED_WITHIN + SPARE
            assert (await hear(courier, "ack", within=15))["stored"] == 1
            assert (await service.http.get("/readyz")).is_success
