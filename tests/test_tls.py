"""HTTPS and WSS, with a certificate made for the test."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import httpx
import msgspec
import pytest
import pytest_asyncio
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.service import Service, hear, running_service, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tracker.messages import FRAME_BYTES


class Secured(msgspec.Struct):
    """A node under TLS, and what its clients trust."""

    service: Service
    trusting: ssl.SSLContext

    def watch(self, order: object) -> connect:
        """A customer's connection."""
        url = f"{self.service.ws_url}/v1/track/{token_of(order)}/stream"
        return connect(url, ssl=self.trusting, compression=None)


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=["tracker", "tests.fallback_node"])
async def secured(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    data_dir: Path,
    own_database: str,
) -> AsyncIterator[Secured]:
    """With sockets of ours, and with Quart's own."""
    folder, authority, trusting = tmp_path_factory.mktemp("tls"), trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "cert.pem", append=number > 0)
    async with running_service(
        data_dir,
        own_database,
        program=request.param,
        trusting=trusting,
        TRACKER_TLS_CERT=str(folder / "cert.pem"),
        TRACKER_TLS_KEY=str(folder / "key.pem"),
    ) as running:
        yield Secured(running, trusting)


async def test_a_trip_under_tls(secured: Secured) -> None:
    """The driver's socket, the customer's, and links that begin with https."""
    service = secured.service
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    assert order["tracking_url"].startswith(f"{service.url}/t/")
    assert service.url.startswith("https://")
    async with (
        service.drive(driver["token"], ssl=secured.trusting) as courier,
        secured.watch(order) as customer,
    ):
        await hear(courier, "welcome")
        await hear(customer, "snapshot")
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.1))] * 400)
        assert (await hear(courier, "ack"))["stored"] == 1
        while not (await hear(customer, "update")).get("position"):
            pass
        await courier.send("x" * (FRAME_BYTES + 1))
        assert await closed_with(courier) == 1009
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        assert await closed_with(customer) == 1000


async def test_nothing_said_under_tls_waits_for_the_next_word(secured: Secured) -> None:
    """Each of two hundred answers comes, in order."""
    driver = await secured.service.new_driver()
    async with secured.service.drive(driver["token"], ssl=secured.trusting) as courier:
        await hear(courier, "welcome")
        for n in range(200):
            await say(courier, type="ping", n=n)
        for n in range(200):
            assert (await hear(courier, "pong"))["n"] == n


async def closed_with(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


async def test_browsers_are_told_to_stay(secured: Secured) -> None:
    """HSTS with every answer, and the other headers as ever."""
    for path in ("/livez", "/v1/nothing"):
        answer = await secured.service.http.get(path)
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_whoever_speaks_no_tls_gets_nothing(secured: Secured) -> None:
    """The connection ends, and the others notice nothing."""
    url = httpx.URL(secured.service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    begun = monotonic()
    assert b"HTTP" not in await asyncio.wait_for(reader.read(), 5)
    assert monotonic() - begun < 5
    writer.close()
    assert (await secured.service.http.get("/livez")).is_success
