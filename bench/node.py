"""Node: a real `tracker serve` on a real PostgreSQL for the time of a run, and what a merchant does there."""

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

import httpx
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection

from tracker.domain.geo import LonLat, distance
from tracker.postgres.server import embedded

READY_WITHIN = 180.0  # seconds; the first start of a data folder builds tiles
ENDS_WITHIN = 25.0  # seconds


class Node(msgspec.Struct, frozen=True):
    """A running service."""

    url: str
    database_url: str
    pid: int
    http: httpx.AsyncClient  # with the admin key

    def ws(self, path: str) -> str:
        return f"{self.url.replace('http', 'ws', 1)}{path}"


class Job(msgspec.Struct, frozen=True):
    """A driver on the way with one order, and the link of its customer."""

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
    """Starts the service with a database of its own under `folder`, and ends both."""
    async with (
        embedded(folder / "database", _quiet) as database_url,
        node_on(folder, database_url, free_port(), token_urlsafe(24)) as node,
    ):
        yield node


@asynccontextmanager
async def node_on(folder: Path, database_url: str, port: int, key: str) -> AsyncIterator[Node]:
    """Starts the service on this database, and ends it, unless somebody has killed it before."""
    url = f"http://127.0.0.1:{port}"
    environment = _without_settings() | {
        "DATABASE_URL": database_url,
        "TRACKER_DATA_DIR": str(folder / "data"),
        "TRACKER_BIND": url.removeprefix("http://"),
        "TRACKER_ADMIN_KEY": key,
        "TRACKER_LOG_LEVEL": "warning",
    }
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tracker", "serve", "--migrate", env=environment, stdout=log, stderr=log
        )
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
            if not await _is_ready(http, process):
                raise RuntimeError(f"tracker serve did not start:\n{last_words(folder / 'serve.log')}")
            yield Node(url, database_url, process.pid, http)
    finally:
        await _end(process)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port: int = trial.getsockname()[1]
    return port


def _quiet(_: str) -> None:
    """Progress of a set-up that is not measured."""


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}


async def _is_ready(http: httpx.AsyncClient, process: asyncio.subprocess.Process) -> bool:
    """Waits for it; False when the process has ended instead."""
    async with asyncio.timeout(READY_WITHIN):
        while process.returncode is None:
            try:
                if (await http.get("/readyz")).is_success:
                    return True
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.1)
    return False


def last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-2000:]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def new_job(node: Node, *, seed: int) -> Job:
    """A driver with one picked-up order between two addresses of the map."""
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
    answer = await node.http.post(path, json=body)
    if answer.is_error:
        raise RuntimeError(f"POST {path}: {answer.status_code} {answer.text}")
    return answer.json()


def drive(node: Node, job: Job) -> websockets.connect:
    """The driver's connection; `async with` it."""
    headers = {"Authorization": f"Bearer {job.driver_token}"}
    return websockets.connect(
        node.ws("/v1/drivers/stream"),
        additional_headers=headers,
        subprotocols=[websockets.Subprotocol("tracker.v1")],
        proxy=None,
        compression=None,
    )


def watch(node: Node, job: Job) -> websockets.connect:
    """The customer's connection; `async with` it."""
    return websockets.connect(node.ws(f"/v1/track/{job.link_token}/stream"), proxy=None, compression=None)


async def receive_until(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of this type."""
    while (message := msgspec.json.decode(await connection.recv()))["type"] != kind:
        pass
    return message  # type: ignore[no-any-return]


def now_text(at: datetime | None = None) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def along(job: Job, metres: float) -> dict[str, float]:
    """So far from the pickup towards the dropoff."""
    share = metres / distance(job.pickup, job.dropoff)
    return {
        "lat": job.pickup.lat + share * (job.dropoff.lat - job.pickup.lat),
        "lon": job.pickup.lon + share * (job.dropoff.lon - job.pickup.lon),
    }
