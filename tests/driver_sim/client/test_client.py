"""A driver's client loses nothing and doubles nothing, whatever the service does to its connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from driver_sim.client.client import DriverClient
from driver_sim.client.pending_reports import ReportRejected
from driver_sim.client.reconnect import PermanentDisconnect
from tests.driver_sim.peer import Peer, peer
from tests.waiting import until
from tracker.domain.tracks.fix import Fix

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def fix(second: int) -> Fix:
    return Fix(START + timedelta(seconds=second), 60.17, 24.94, 5.0)


def at(second: int) -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}Z"


class Hasty(Random):
    """Pauses of nothing, so that reconnecting costs a test no time; what is asked for is kept."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append(b)
        return 0.0


@asynccontextmanager
async def running(it: Peer, random: Random | None = None) -> AsyncIterator[DriverClient]:
    """A client that is connected to the peer."""
    client = DriverClient(it.url, "a-token", random=random or Hasty())
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.connected or task.done())
        yield client
    finally:
        await client.close(timeout_s=0.1)
        task.cancel()
        with suppress(asyncio.CancelledError, PermanentDisconnect):
            await task


async def test_fixes_are_dropped_when_acknowledged() -> None:
    """What is acknowledged is forgotten, with its latency counted; the token goes as Bearer."""
    async with peer() as it, running(it) as client:
        for second in range(20):
            client.add(fix(second))
        assert await client.flush()
        assert it.stored_order == [at(second) for second in range(20)]
        assert it.authorizations == ["Bearer a-token"]
        assert client.outbox.counts["acked"] == 20
        assert len(client.latencies) > 0


async def test_closing_flushes_and_says_1000() -> None:
    """Leaving loses nothing and is told to the service as an ordinary end."""
    async with peer() as it:
        async with running(it) as client:
            client.add(fix(1))
            assert await client.close()
        await until(lambda: it.close_codes == [1000])
        assert it.stored_order == [at(1)]


async def test_cut_before_the_ack_sends_again_and_doubles_nothing() -> None:
    """A connection cut between storing and acknowledging: resent, counted as duplicates, nothing lost."""
    cuts = 3

    async def cut(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        nonlocal cuts
        if message["type"] == "fixes" and cuts:
            cuts -= 1
            it.store(message)
            connection.transport.abort()
        else:
            await it.take(connection, message)

    async with peer() as it, running(it) as client:
        it.answer = cut
        for second in range(1200):
            client.add(fix(second))
        assert await client.flush()
        assert len(it.stored) == 1200
        assert client.outbox.counts["sent"] == client.outbox.counts["acked"] == 1200  # each counts once
        assert client.outbox.counts["duplicates"] > 0
        assert client.reconnects >= 1


async def test_after_a_break_the_newest_goes_first_then_the_backlog() -> None:
    """The live view is right after one message; the backlog follows oldest first, 500 at most at once."""
    async with peer() as it, running(it, Random(1)) as client:

        async def deaf(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
            return

        it.answer = deaf
        client.add(fix(0))
        await until(lambda: len(it.messages) == 1)
        assert it.socket is not None
        it.socket.transport.abort()
        await until(lambda: not client.connected)
        for second in range(1, 1101):
            client.add(fix(second))
        it.messages.clear()
        it.answer = Peer.take
        assert await client.flush()
        batches = [[one["recorded_at"] for one in message["fixes"]] for message in it.messages]
        assert batches[0] == [at(1100)]
        assert [len(batch) for batch in batches[1:]] == [500, 500, 100]
        assert [one for batch in batches[1:] for one in batch] == [at(second) for second in range(1100)]


async def test_slow_keeps_buffering_and_stops_sending() -> None:
    """After `slow` nothing is sent for retry_s, the connection stays; then the newest goes first."""
    slowed: list[float] = []
    loop = asyncio.get_running_loop()

    async def slow_once(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        if not slowed:
            slowed.append(loop.time())
            await it.say(connection, {"type": "slow", "retry_s": 0.4, "reason": "storage"})
        await it.take(connection, message)

    async with peer() as it, running(it) as client:
        it.answer = slow_once
        client.add(fix(0))
        await until(lambda: client.outbox.counts["acked"] == 1)
        for second in range(1, 51):
            client.add(fix(second))
        assert await client.flush()
        assert loop.time() - slowed[0] >= 0.4
        assert it.stored_order[1] == at(50)
        assert len(it.stored) == 51
        assert client.reconnects == 0


@pytest.mark.parametrize(
    ("code", "words"), [(4009, "replaced"), (4001, "token"), (4010, "over"), (4077, "4077")]
)
async def test_the_40xx_codes_end_it_with_a_reason(code: int, words: str) -> None:
    """A client told not to come back unchanged stays away and says why."""
    async with peer() as it:
        client = DriverClient(it.url, "t", random=Hasty())
        task = asyncio.create_task(client.run())
        await until(lambda: client.connected)
        waiting = asyncio.create_task(client.report("ord_1", "picked_up"))
        await until(lambda: len(it.statuses) == 1)
        assert it.socket is not None
        await it.socket.close(code)
        with pytest.raises(PermanentDisconnect, match=words):
            await task
        assert it.connections == 1
        await waiting


@pytest.mark.parametrize("code", [1011, 4100, 4101, 4103, 4104])
async def test_the_41xx_codes_back_off_and_return(code: int) -> None:
    """A service in trouble is left alone for growing, random pauses, and then everything arrives."""
    refusals = 4

    async def greet(connection: ServerConnection) -> bool:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            await connection.close(code)
        return refusals < 0

    random = Hasty()
    async with peer() as it:
        it.greeting = greet
        async with running(it, random) as client:
            client.add(fix(1))
            assert await client.flush()
            assert it.stored_order == [at(1)]
            assert random.asked == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("code", [1001, 1012])
async def test_a_restart_spreads_its_drivers(code: int) -> None:
    """After 1001 and 1012 the client comes back at a random moment of the next 15 s."""
    random = Hasty()
    async with peer() as it, running(it, random) as client:
        client.add(fix(1))
        assert await client.flush()
        assert it.socket is not None
        await it.socket.close(code)
        await until(lambda: it.connections == 2)
        assert random.asked == [15.0]


async def test_a_node_that_stops_says_when_another_takes_its_drivers() -> None:
    """The delay in the reason of 1012 replaces the client's own."""
    random = Hasty()
    async with peer() as it, running(it, random) as client:
        client.add(fix(1))
        assert await client.flush()
        assert it.socket is not None
        await it.socket.close(1012, "restarting, retry_s=0.05")
        await until(lambda: it.connections == 2)
        assert random.asked == []


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refused_handshake_ends_it(status: int) -> None:
    """401, 403 and 404 in place of the handshake are final."""
    async with peer() as it:
        it.refuse_with = status
        with pytest.raises(PermanentDisconnect, match=str(status)):
            await DriverClient(it.url, "t", random=Hasty()).run()


async def test_a_busy_service_is_asked_again() -> None:
    """503 in place of the handshake is a matter of time."""
    async with peer() as it:
        it.refuse_with = 503
        random = Hasty()
        client = DriverClient(it.url, "t", random=random)
        task = asyncio.create_task(client.run())
        await until(lambda: len(random.asked) >= 2)
        it.refuse_with = None
        client.add(fix(1))
        assert await client.flush()
        await client.close()
        await task


async def test_statuses_survive_a_break_in_their_order() -> None:
    """A status is kept until it is acknowledged, and never overtakes the one before it."""
    cuts = 1

    async def cut(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        nonlocal cuts
        if message["type"] == "status" and cuts:
            cuts -= 1
            connection.transport.abort()
        else:
            await it.take(connection, message)

    async with peer() as it, running(it) as client:
        it.answer = cut
        async with asyncio.TaskGroup() as reports:
            reports.create_task(client.report("ord_1", "picked_up"))
            reports.create_task(client.report("ord_1", "delivered"))
        assert it.statuses == [("ord_1", "picked_up"), ("ord_1", "delivered")]


async def test_a_status_stored_before_the_break_counts_as_done() -> None:
    """The ack was lost: the repeated status is a forbidden transition, and that is success."""
    done: list[str] = []

    async def once(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        if not done:
            done.append(message["status"])
            connection.transport.abort()
        else:
            error = {"type": "error", "id": message["id"], "code": "forbidden_transition", "detail": "no"}
            await it.say(connection, error)

    async with peer() as it, running(it) as client:
        it.answer = once
        await client.report("ord_1", "picked_up")
        with pytest.raises(ReportRejected, match="forbidden_transition"):
            await client.report("ord_1", "picked_up")


async def test_too_many_fixes_are_sent_in_halves() -> None:
    """A service with a smaller limit than it announced still gets every fix."""

    async def small(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        if message["type"] == "fixes" and len(message["fixes"]) > 100:
            error = {"type": "error", "id": message["id"], "code": "too_many_fixes", "detail": "100"}
            await it.say(connection, error)
        else:
            await it.take(connection, message)

    async with peer() as it, running(it) as client:
        it.answer = small
        for second in range(450):
            client.add(fix(second))
        assert await client.flush()
        assert len(it.stored) == 450


async def test_rejected_fixes_are_counted_by_name_and_not_repeated() -> None:
    """A fix that the service refuses is not sent again; its neighbours are stored."""

    async def picky(it: Peer, connection: ServerConnection, message: dict[str, Any]) -> None:
        ack = it.store({**message, "fixes": message["fixes"][1:]})
        ack["rejected"] = [{"index": 0, "reason": "null_island"}]
        await it.say(connection, ack)

    async with peer() as it, running(it) as client:
        it.answer = picky
        client.add(fix(1))
        client.add(fix(2))
        assert await client.flush()
        assert client.outbox.rejections == {"null_island": client.outbox.counts["rejected"]}
        assert client.outbox.counts["acked"] == len(it.stored)


async def test_the_rate_of_the_service_is_kept() -> None:
    """More than a second's worth of fixes is spread over time, as `limits.fixes_per_s` says."""
    async with peer() as it:
        it.limits = {"frame_bytes": 262144, "fixes_per_message": 50, "fixes_per_s": 200}
        async with running(it) as client:
            began = asyncio.get_running_loop().time()
            for second in range(300):
                client.add(fix(second))
            assert await client.flush()
            assert asyncio.get_running_loop().time() - began >= 0.45
            assert max(len(message["fixes"]) for message in it.messages) <= 50


async def test_a_note_of_a_time_without_connection_is_heard_once() -> None:
    """It comes with the orders of the next connection; a message repeats another one."""
    stop = {"lat": 60.17, "lon": 24.94, "address": None, "service_s": None, "time_zone": "Europe/Helsinki"}
    order: dict[str, Any] = {
        "id": "ord_1", "reference": None, "status": "picked_up", "pickup": stop | {"ready_at": None},
        "dropoff": stop, "customer": None, "window": None, "notes": [],
    }  # fmt: skip
    async with peer() as it, running(it) as client:
        heard: list[str] = []
        client.on_note = lambda note: heard.append(note.text)
        assert it.socket is not None
        for text, minute in ("Ring twice", 1), ("At the back door", 2):
            order["notes"] += [{"text": text, "at": f"2026-11-22T12:0{minute}:00.000Z"}]
            await it.say(it.socket, {"type": "orders", "orders": [order]})
        again = order["notes"][1]
        await it.say(it.socket, {"type": "message", "order_id": "ord_1", **again})
        last = {"text": "Thank you", "at": "2026-11-22T12:03:00.000Z"}
        await it.say(it.socket, {"type": "message", "order_id": "ord_1", **last})
        await until(lambda: heard[-1:] == ["Thank you"])
        assert heard == ["Ring twice", "At the back door", "Thank you"]


async def test_unknown_messages_are_ignored() -> None:
    """A later version of the service may say more than we know."""

    async def greet(connection: ServerConnection) -> bool:
        await connection.send('{"type":"weather","sky":"grey"}')
        return True

    async with peer() as it:
        it.greeting = greet
        async with running(it) as client:
            client.add(fix(1))
            assert await client.flush()
