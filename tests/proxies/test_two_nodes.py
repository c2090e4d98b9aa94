"""Two nodes behind nginx and HAProxy, with the files of deploy/: no sticky sessions, drain, certificates."""

import asyncio
import shutil
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from tests.proxies.pair import PairedNode, running_pair, serves_through
from tests.proxies.programs import Certificate, Proxy, running_proxy
from tests.service import ADMIN_KEY, hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import until
from tracker.node import GUESSES_AT_ONCE

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}
PLACES = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}
CUSTOMERS = 8


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair(
    data_dir: Path, own_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[PairedNode]]:
    async with running_pair(tmp_path_factory.mktemp("pair"), data_dir, own_database) as nodes:
        yield nodes


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=["nginx", "haproxy"])
async def balancer(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pair: list[PairedNode],
    certificate: Certificate,
) -> AsyncIterator[Proxy]:
    folder = tmp_path_factory.mktemp(request.param)
    one, two = (node.address for node in pair)
    copied = certificate.copied_to(folder)
    async with running_proxy(request.param, folder, one, copied, second=two) as running:
        yield running


async def post(http: httpx.AsyncClient, path: str, body: object) -> Any:
    answer = await http.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def on_duty(balancer: Proxy) -> tuple[Any, Any]:
    """A new driver and their order."""
    async with balancer.client(headers=KEY) as http:
        driver = await post(http, "/v1/drivers", {"name": "Aino K.", "vehicle": "car"})
        return driver, await post(http, "/v1/orders", {**PLACES, "driver_id": driver["id"]})


def drive(balancer: Proxy, driver: Any) -> Any:
    token = {"Authorization": f"Bearer {driver['token']}"}
    return balancer.socket("/v1/drivers/stream", additional_headers=token, subprotocols=["tracker.v1"])


async def test_customers_of_both_nodes_see_the_driver(balancer: Proxy, pair: list[PairedNode]) -> None:
    """No session sticks: sockets, event streams and polls of one order are spread, and all see each fix."""
    driver, order = await on_duty(balancer)
    link = f"/v1/track/{token_of(order)}"
    async with balancer.client() as http, AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(balancer.socket(f"{link}/stream")) for _ in range(CUSTOMERS)
        ]
        for customer in sockets:
            await hear(customer, "snapshot")
        streams = [
            await stack.enter_async_context(http.stream("GET", f"{link}/events")) for _ in range(CUSTOMERS)
        ]
        cursor = (await http.get(f"{link}/poll")).json()["cursor"]
        poll = asyncio.create_task(http.get(f"{link}/poll", params={"cursor": cursor}))
        courier = await stack.enter_async_context(drive(balancer, driver))
        await hear(courier, "welcome")
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.1))])
        await hear(courier, "ack")
        for customer in sockets:
            while not (await hear(customer, "update")).get("position"):
                pass
        for stream in streams:
            await anext(line async for line in stream.aiter_lines() if '"position":{' in line)
        assert (await poll).status_code == 200
        shares = [(await node.metrics())["tracker_subscribers"] for node in pair]
        assert min(shares) >= CUSTOMERS // 2


async def test_a_node_that_stops_refuses_nobody(balancer: Proxy, pair: list[PairedNode]) -> None:
    """While it restarts, every answer is a success, and its live views go on at the other node."""
    driver, order = await on_duty(balancer)
    node = pair[0] if balancer.name == "nginx" else pair[1]
    answers: Counter[object] = Counter()
    ended = asyncio.Event()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(balancer.client(headers=KEY))
        phone = await stack.enter_async_context(balancer.client(http2=False))

        async def read() -> httpx.Response:
            return await http.get(f"/v1/orders/{order['id']}")

        async def send() -> httpx.Response:
            headers = {"Authorization": f"Bearer {driver['token']}"}
            body = {"fixes": [fix(0.0, *on_the_way(0.2))]}
            return await phone.post("/v1/drivers/fixes", json=body, headers=headers)

        async with asyncio.TaskGroup() as tasks:
            for call in (read, read, send):
                tasks.create_task(ask_until(ended, call, answers))
            await live_views_move(balancer, order, node, stack)
            await node.start()
            await until(lambda: serves_through(balancer, node))
            ended.set()
    assert set(answers) == {200}, answers
    assert answers[200] > 50


async def live_views_move(balancer: Proxy, order: Any, node: PairedNode, stack: AsyncExitStack) -> None:
    """Stop the node: its customers are told when to reconnect, at random, and then see the driver move."""
    path = f"/v1/track/{token_of(order)}/stream"
    customers = [await stack.enter_async_context(balancer.socket(path)) for _ in range(CUSTOMERS)]
    for customer in customers:
        await hear(customer, "snapshot")
    assert await node.terminate() == 0
    closes = [close for close in await asyncio.gather(*map(closed, customers)) if close is not None]
    assert 0 < len(closes) < CUSTOMERS
    for code, reason in closes:
        assert code == 1012
        assert 0.0 <= float(reason.removeprefix("restarting, retry_s=")) <= 1.0
    async with balancer.socket(path) as customer:
        await hear(customer, "snapshot")
        while not (await hear(customer, "update")).get("position"):
            pass


async def ask_until(
    ended: asyncio.Event, call: Callable[[], Awaitable[httpx.Response]], answers: Counter[object]
) -> None:
    while not ended.is_set():
        try:
            answers[(await call()).status_code] += 1
        except httpx.HTTPError as error:
            answers[repr(error)] += 1
        await asyncio.sleep(0.01)  # simulates a client's pause


async def closed(socket: Any) -> tuple[int, str] | None:
    """The code and reason with which a socket has closed; None if it is open."""
    with suppress(TimeoutError, ConnectionClosed):
        async with asyncio.timeout(0.5):
            while True:
                await socket.recv()
    return None if socket.close_code is None else (socket.close_code, socket.close_reason)


@pytest.mark.parametrize("balancer", ["haproxy"], indirect=True)
async def test_a_node_that_stands_still_gets_no_requests(balancer: Proxy, pair: list[PairedNode]) -> None:
    """Its health check fails; when it goes on, it gets requests again. nginx checks no health."""
    pair[0].freeze()

    async def answers_at_once() -> bool:
        try:
            async with balancer.client() as http, asyncio.timeout(1.0):
                return [(await http.get("/livez")).status_code for _ in range(4)] == [200] * 4
        except TimeoutError:
            return False

    try:
        await until(answers_at_once)
    finally:
        pair[0].thaw()
    for node in pair:
        await until(lambda node=node: serves_through(balancer, node))  # type: ignore[misc]


@pytest.mark.parametrize("balancer", ["haproxy"], indirect=True)
async def test_without_the_database_the_service_itself_answers(
    balancer: Proxy, pair: list[PairedNode], own_database: str
) -> None:
    """No node is ready then. The balancer still passes requests on, so clients read why."""
    _, order = await on_duty(balancer)
    async with closed_database(own_database):

        async def is_away() -> bool:
            return not any([await node.is_ready() for node in pair])

        await until(is_away)
        async with balancer.client(headers=KEY) as http:
            for _ in range(4):  # also once the balancer has noticed
                answer = await http.get(f"/v1/orders/{order['id']}")
                assert answer.status_code == 503
                assert answer.json()["type"] == "/problems/storage-unavailable"
                await asyncio.sleep(0.8)  # simulates a client's pause
            assert (await http.get("/livez")).status_code == 200
    for node in pair:
        await until(lambda node=node: serves_through(balancer, node))  # type: ignore[misc]


@asynccontextmanager
async def closed_database(url: str) -> AsyncIterator[None]:
    """Let nobody into a database during the block."""
    name = urlsplit(url).path.lstrip("/")
    keeper = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl())
    try:
        await keeper.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await keeper.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await keeper.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await keeper.close()


async def test_guesses_are_limited_behind_a_balancer(balancer: Proxy) -> None:
    """By the visitor's own address, on each node: a guesser is slowed down, and another visitor is not."""
    number = 30 + ["nginx", "haproxy"].index(balancer.name)
    wrong = f"/v1/track/{'A' * 44}"
    async with (
        balancer.client(source=f"127.0.1.{number}") as guesser,
        balancer.client(source=f"127.0.2.{number}") as other,
    ):
        statuses = [(await guesser.get(wrong)).status_code for _ in range(2 * GUESSES_AT_ONCE + 20)]
        assert set(statuses) == {404, 429}
        assert (await other.get(wrong)).status_code == 404


async def test_a_renewed_certificate_ends_no_live_view(balancer: Proxy, tmp_path: Path) -> None:
    """After a reload new connections get it, and open sockets go on."""
    driver, order = await on_duty(balancer)
    before = await serial_of(balancer)
    async with (
        drive(balancer, driver) as courier,
        balancer.socket(f"/v1/track/{token_of(order)}/stream") as customer,
    ):
        await hear(customer, "snapshot")
        await hear(courier, "welcome")
        renewed = Certificate.make(tmp_path)
        for name in ("chain", "key", "both", "authority"):
            shutil.copyfile(getattr(renewed, name), getattr(balancer.certificate, name))
        balancer.reload()

        async def has_changed() -> bool:
            return await serial_of(balancer) != before

        await until(has_changed)
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.4))])
        while not (await hear(customer, "update")).get("position"):
            pass


async def serial_of(balancer: Proxy) -> bytes:
    """What identifies the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", balancer.ports.https, ssl=context)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_the_authoritys_challenge_is_answered_over_http(balancer: Proxy, tmp_path: Path) -> None:
    """certbot renews the certificate while the service serves; everything else is redirected to https."""
    path = "/.well-known/acme-challenge/a-token"
    async with AsyncExitStack() as stack:
        if balancer.name == "nginx":
            file = Path(balancer.folder, "www", path[1:])
            file.parent.mkdir(parents=True)
            file.write_text("the answer")
        else:
            server = await asyncio.start_server(answer_challenge, "127.0.0.1", balancer.ports.certbot)
            await stack.enter_async_context(server)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{balancer.ports.http}", trust_env=False
        ) as http:
            assert (await http.get(path)).text == "the answer"
            redirected = await http.get("/t/x?y=1")
            assert redirected.status_code == 308
            assert redirected.headers["Location"].startswith("https://127.0.0.1")


async def answer_challenge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nthe answer")
    await writer.drain()
    writer.close()
