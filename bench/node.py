"""Node: a `tracker serve` process with its PostgreSQL, and clients for merchant, driver and customer."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import asyncpg
import httpx
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection

from bench.processes import parent
from tracker.domain.geo import LonLat, distance
from tracker.postgres.server import embedded

READY_TIMEOUT = 180.0  # seconds; the first start builds the tiles
STOP_TIMEOUT = 25.0  # seconds


class Node(msgspec.Struct, frozen=True):
    """A running service."""

    url: str
    database_url: str
    pid: int
    http: httpx.AsyncClient  # authenticated with the admin key
    data_dir: Path  # with the map, prepared

    async def database_pid(self) -> int:
        """Return the process of PostgreSQL whose children are the backends."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return parent(connection.get_server_pid())
        finally:
            await connection.close()

    def ws(self, path: str) -> str:
        return f"{self.url.replace('http', 'ws', 1)}{path}"


class Job(msgspec.Struct, frozen=True):
    """A driver with one picked-up order, and its customer's link."""

    driver_token: str
    order_id: str
    tracking_url: str
    pickup: LonLat
    dropoff: LonLat

    @property
    def link_token(self) -> str:
        return self.tracking_url.rsplit("/", 1)[1]


@asynccontextmanager
async def running_node(folder: Path) -> AsyncIterator[Node]:
    """Run the service with a database under *folder*. Stops both at the end of the block."""
    async with (
        embedded(folder / "database", _discard) as database_url,
        node_on(folder, database_url, free_port(), token_urlsafe(24)) as node,
    ):
        yield node


@asynccontextmanager
async def node_on(
    folder: Path, database_url: str, port: int, key: str, **settings: str
) -> AsyncIterator[Node]:
    """Run the service on this database. Stops it at the end, unless it was killed.

    Raises RuntimeError if it does not start.
    """
    url = f"http://127.0.0.1:{port}"
    environment = _without_settings() | {
        "DATABASE_URL": database_url,
        "TRACKER_DATA_DIR": str(folder / "data"),
        "TRACKER_BIND": url.removeprefix("http://"),
        "TRACKER_ADMIN_KEY": key,
        "TRACKER_LOG_LEVEL": "warning",
        "TRACKER_WEBHOOKS_PRIVATE": "on",
        **settings,
    }
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tracker", "serve", "--migrate", env=environment, stdout=log, stderr=log
        )
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
            if not await _is_ready(http, process):
                raise RuntimeError(f"tracker serve did not start:\n{log_tail(folder / 'serve.log')}")
            yield Node(url, database_url, process.pid, http, Path(environment["TRACKER_DATA_DIR"]))
    finally:
        await _stop(process)


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port: int = trial.getsockname()[1]
    return port


def _discard(_: str) -> None:
    """Discard the progress of a set-up."""


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}


async def _is_ready(http: httpx.AsyncClient, process: asyncio.subprocess.Process) -> bool:
    """Wait until the service is ready. Return False if the process exits. Raises TimeoutError."""
    async with asyncio.timeout(READY_TIMEOUT):
        while process.returncode is None:
            try:
                if (await http.get("/readyz")).is_success:
                    return True
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.1)
    return False


def log_tail(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-2000:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def new_job(node: Node, *, seed: int) -> Job:
    """Create a driver with one picked-up order between two addresses of the map."""
    places = await _get(node, f"/v1/map/addresses?limit=50&seed={seed}")
    near, far = places["items"][0], places["items"][1]
    driver = await _post(node, "/v1/drivers", {"name": "Bench Courier", "vehicle": "bicycle"})
    wanted = {"pickup": _place(near), "dropoff": _place(far), "driver_id": driver["id"]}
    order = await _post(node, "/v1/orders", wanted)
    await _post(node, f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    return Job(
        driver["token"],
        order["id"],
        order["tracking_url"],
        LonLat(near["lon"], near["lat"]),
        LonLat(far["lon"], far["lat"]),
    )


def _place(address: dict[str, Any]) -> dict[str, Any]:
    return {"lat": address["lat"], "lon": address["lon"], "address": address["address"]}


async def _get(node: Node, path: str) -> Any:
    return (await node.http.get(path)).raise_for_status().json()


async def _post(node: Node, path: str, body: object) -> Any:
    response = await node.http.post(path, json=body)
    if response.is_error:
        raise RuntimeError(f"POST {path}: {response.status_code} {response.text}")
    return response.json()


def drive(node: Node, job: Job) -> websockets.connect:
    """Return the driver's connection, to be opened with `async with`."""
    headers = {"Authorization": f"Bearer {job.driver_token}"}
    return websockets.connect(
        node.ws("/v1/drivers/stream"),
        additional_headers=headers,
        subprotocols=[websockets.Subprotocol("tracker.v1")],
        proxy=None,
        compression=None,
    )


def watch(node: Node, job: Job) -> websockets.connect:
    """Return the customer's connection, to be opened with `async with`."""
    return websockets.connect(node.ws(f"/v1/track/{job.link_token}/stream"), proxy=None, compression=None)


async def receive_until(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Skip messages until one has this type, and return it."""
    while (message := msgspec.json.decode(await connection.recv()))["type"] != kind:
        pass
    return message  # type: ignore[no-any-return]


def now_text(at: datetime | None = None) -> str:
    """Format a time, by default now, as RFC 3339 in UTC with milliseconds."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def along(job: Job, metres: float) -> dict[str, float]:
    """Return the place *metres* from the pickup towards the dropoff."""
    share = metres / distance(job.pickup, job.dropoff)
    return {
        "lat": job.pickup.lat + share * (job.dropoff.lat - job.pickup.lat),
        "lon": job.pickup.lon + share * (job.dropoff.lon - job.pickup.lon),
    }
