"""A running `tracker serve`, started and stopped by the tests, and the few calls most of them need."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.fork_server import ServiceProcess, started
from tests.privacy.recording import recorded
from tests.waiting import WITHIN, until

ADMIN_KEY: Final = "an-admin-key-for-tests-only"
SECRET: Final = "a-secret-for-tests-only"
START_WITHIN: Final = 120.0  # seconds; the first start draws the map
KEPT_ALIVE: Final = httpx.Limits(keepalive_expiry=2.0)  # seconds; the server ends idle connections at 5
STOP_WITHIN: Final = 25.0  # seconds


class Service(msgspec.Struct):
    """One node as another program sees it."""

    url: str  # of the relay that records what customers are told, where there is one
    address: str  # its own, as in TRACKER_BIND
    process: ServiceProcess
    http: httpx.AsyncClient  # with the admin key
    log: Path  # what it said on standard error

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    async def post(self, path: str, body: object, **headers: str) -> Any:
        """The answer's JSON; fails the test where it is no success."""
        answer = await self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def new_driver(self, name: str = "Aino Korhonen", vehicle: str = "car") -> Any:
        return await self.post("/v1/drivers", {"name": name, "vehicle": vehicle})

    async def new_order(self, driver_id: str | None = None, **more: object) -> Any:
        """Between two addresses in the middle of the demo area."""
        body = {
            "pickup": {"lat": 60.1713, "lon": 24.9440, "address": "Rautatientori"},
            "dropoff": {"lat": 60.1666, "lon": 24.9486, "address": "Kasarmikatu 36"},
            **more,
        }
        return await self.post("/v1/orders", body if driver_id is None else body | {"driver_id": driver_id})

    def drive(self, token: str, **more: Any) -> connect:
        """A driver's connection, not yet open."""
        headers = {"Authorization": f"Bearer {token}"}
        return connect(
            f"{self.ws_url}/v1/drivers/stream",
            subprotocols=more.pop("subprotocols", ["tracker.v1"]),
            additional_headers=headers,
            compression=None,
            **more,
        )

    def watch(self, order: Any) -> connect:
        """A customer's connection, not yet open."""
        return connect(f"{self.ws_url}/v1/track/{token_of(order)}/stream", compression=None)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_WITHIN):
            return await self.process.wait()


def token_of(order: Any) -> str:
    """The token in an order's tracking link."""
    return str(order["tracking_url"]).rsplit("/", 1)[1]


async def say(socket: ClientConnection, **message: object) -> None:
    await socket.send(msgspec.json.encode(message).decode())


async def metric(service: Service, name: str) -> float:
    text = (await service.http.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def until_metric(service: Service, name: str, value: float) -> None:
    async def has_value() -> bool:
        return await metric(service, name) == value

    await until(has_value, 30)


async def hear(socket: ClientConnection, *types: str, within: float = WITHIN) -> Any:
    """The next message of one of these types; others are passed over."""
    async with asyncio.timeout(within):
        while True:
            message = msgspec.json.decode(await socket.recv())
            if message["type"] in types:
                return message


@asynccontextmanager
async def running_service(
    data_dir: Path,
    database_url: str | None,
    *,
    program: str = "tracker",
    unrecorded: bool = False,
    trusting: ssl.SSLContext | None = None,
    **settings: str,
) -> AsyncIterator[Service]:
    """A node on a free port, ready; stopped afterwards by its own process id.

    Everybody goes through a relay, and what customers were told is judged after the test; `unrecorded` is for
    tests of the connections themselves.
    """
    log = data_dir / f"serve-{os.urandom(4).hex()}.log"
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "TRACKER_DATA_DIR": str(data_dir),
        "TRACKER_BIND": "127.0.0.1:0",
        "TRACKER_ADMIN_KEY": ADMIN_KEY,
        "TRACKER_SECRET": SECRET,
        **({"DATABASE_URL": database_url} if database_url else {}),
        **settings,
    }
    process = await started(program, environment, log)
    try:
        own = await _serving(process, log)
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        with nullcontext(own) if unrecorded or trusting else recorded(own, log) as url:
            async with httpx.AsyncClient(
                base_url=url, headers=headers, timeout=30.0, limits=KEPT_ALIVE, verify=trusting or False
            ) as http:
                service = Service(url, urlsplit(own).netloc, process, http, log)
                await _ready(service)
                yield service
    finally:
        await _end(process)


async def _serving(process: ServiceProcess, log: Path) -> str:
    """The address that it says it serves on."""

    def address() -> str:
        text = log.read_text(errors="replace")
        assert process.returncode is None, f"the service ended with {process.returncode}:\n{text}"
        return next((url for line in text.splitlines() if (url := url_in(line))), "")

    return await until(address, START_WITHIN)


def url_in(line: str) -> str:
    """The URL in the log line of a service that has started; empty in every other line."""
    with suppress(msgspec.DecodeError):
        event = msgspec.json.decode(line)
        if isinstance(event, dict) and event.get("event") == "service_started":
            return str(event["url"])
    return ""


async def _ready(service: Service) -> None:
    async def is_ready() -> bool:
        with suppress(httpx.TransportError):
            ready = await service.http.get("/readyz")
            return ready.is_success and "preparing" not in ready.json()
        return False

    await until(is_ready, START_WITHIN)


async def _end(process: ServiceProcess) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
