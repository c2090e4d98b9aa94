"""The bus between nodes: MemoryBus and NatsBus pass the same tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from tests.nats import NatsServer, nats_server
from tests.waiting import becomes_true, until
from tracker.broker_urls import parse_nats_url
from tracker.errors import BusUnavailable
from tracker.live.bus import nats_bus
from tracker.live.bus.memory_bus import MemoryBus, MemoryNetwork
from tracker.live.bus.nats_bus import NatsBus
from tracker.live.bus.protocol import Bus
from tracker.metrics.bus import BusMetrics


class Site(msgspec.Struct):
    """Three nodes' buses, and what interrupts and restores them."""

    buses: list[Bus]
    cut: Callable[[], Awaitable[None]]
    restore: Callable[[], Awaitable[None]]

    async def connected(self) -> None:
        await until(lambda: all(bus.connected for bus in self.buses))


def memory_site() -> Site:
    network = MemoryNetwork()
    buses = [MemoryBus(network) for _ in range(3)]

    async def cut() -> None:
        for bus in buses:
            bus.disconnect()

    async def restore() -> None:
        for bus in buses:
            bus.reconnect()

    return Site([*buses], cut, restore)


@asynccontextmanager
async def nats_site() -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(nats_server())
        buses: list[Bus] = [await stack.enter_async_context(connection(server)) for _ in range(3)]
        yield Site(buses, server.kill, server.start)


def connection(server: NatsServer, url: str | None = None) -> AbstractAsyncContextManager[NatsBus]:
    return NatsBus.open(parse_nats_url(url or server.url), "test", BusMetrics(CollectorRegistry()))


@pytest.fixture(params=["memory", "nats"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    if request.param == "memory":
        yield memory_site()
        return
    async with nats_site() as site:
        yield site


async def test_messages_reach_the_other_nodes_in_order_and_never_their_sender(site: Site) -> None:
    """A subject with `*` takes one word in its place, and no other subject."""
    got: list[list[bytes]] = [[] for _ in site.buses]
    for bus, own in zip(site.buses, got, strict=True):
        bus.receive("orders.*", own.append)
    await site.connected()
    sent = [str(number).encode() for number in range(100)]
    site.buses[0].publish("drivers.one", b"another subject")
    site.buses[0].publish("orders", b"a shorter one")
    site.buses[0].publish("orders.one.two", b"a longer one")
    for message in sent:
        site.buses[0].publish("orders.one", message)
    await until(lambda: got[1:] == [sent, sent])
    assert got[0] == []


async def test_a_request_gets_the_answer_of_the_node_that_serves_its_subject(site: Site) -> None:
    """Requests are answered concurrently: a slow answer delays no other."""
    slow = asyncio.Event()

    async def answer(message: bytes) -> bytes:
        if message == b"slow":
            await slow.wait()
        return message.upper()

    site.buses[1].answer("node.1", answer)
    await site.connected()
    waiting = asyncio.create_task(site.buses[0].request("node.1", b"slow", 30.0))
    assert await site.buses[2].request("node.1", b"quick", 30.0) == b"QUICK"
    slow.set()
    assert await waiting == b"SLOW"


async def test_a_request_that_nobody_answers_fails(site: Site) -> None:
    """Without a node, with one that fails, with one that is too slow, and without the bus."""

    async def fail(_: bytes) -> bytes:
        raise ValueError("planted")

    async def never(_: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    site.buses[1].answer("node.fails", fail)
    site.buses[1].answer("node.never", never)
    await site.connected()
    for subject in ("node.absent", "node.fails", "node.never"):
        with pytest.raises(BusUnavailable):
            await site.buses[0].request(subject, b"", 0.2)
    await site.cut()
    await until(lambda: not site.buses[0].connected)
    with pytest.raises(BusUnavailable):
        await site.buses[0].request("node.fails", b"", 0.2)


async def test_messages_flow_again_after_the_bus_was_away(site: Site) -> None:
    """What was published meanwhile is lost, and publishing neither waits nor fails."""
    got: list[bytes] = []
    site.buses[1].receive("orders.one", got.append)
    await site.connected()
    await site.cut()
    await until(lambda: not any(bus.connected for bus in site.buses))
    site.buses[0].publish("orders.one", b"lost")
    await site.restore()
    await site.connected()

    async def arrives() -> bool:
        site.buses[0].publish("orders.one", b"after")
        return await becomes_true(lambda: bool(got), 0.1)

    await until(arrives)
    assert set(got) == {b"after"}


async def test_a_receiver_that_fails_gets_the_next_message(site: Site) -> None:
    """An error is the receiver's own, and ends no subscription."""
    got: list[bytes] = []

    def receive(message: bytes) -> None:
        if message == b"bad":
            raise ValueError("planted")
        got.append(message)

    site.buses[1].receive("orders.one", receive)
    await site.connected()
    site.buses[0].publish("orders.one", b"bad")
    site.buses[0].publish("orders.one", b"good")
    await until(lambda: got == [b"good"])


# --- of NATS alone


async def test_a_frozen_server_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest messages are dropped; publishing never waits."""
    monkeypatch.setattr(nats_bus, "SENT_BYTES", 1_000_000)
    async with nats_server() as server, connection(server) as bus:
        await until(lambda: bus.connected)
        server.freeze()
        for _ in range(2_000):
            bus.publish("orders.one", bytes(10_000))
        assert bus.waiting_bytes <= 1_000_000


async def test_a_node_starts_without_its_bus_and_says_why() -> None:
    """It connects as soon as there is a server; of several it takes one that answers."""
    async with nats_server() as server:
        await server.kill()
        async with connection(server, f"nats://127.0.0.1:1,{server.url}") as bus:
            await bus.attempted.wait()
            assert not bus.connected
            assert "nothing listens there" in str(bus.fault)
            await server.start()
            await until(lambda: bus.connected)
            assert bus.fault is None


async def test_a_wrong_token_is_named_and_the_right_one_works() -> None:
    """The account may be a token or user and password, percent-encoded."""
    async with nats_server("--auth", "right/token") as server:
        at = server.url.removeprefix("nats://")
        async with connection(server, f"nats://wrong@{at}") as bus:
            await until(lambda: bus.fault)
            assert "refuses" in str(bus.fault)
            assert "wrong" not in str(bus.fault)
        async with connection(server, f"nats://right%2Ftoken@{at}") as bus:
            await until(lambda: bus.connected)
