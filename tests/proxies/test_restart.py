"""A proxy that restarts under load: clients come back, and nothing that was acknowledged is lost."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from websockets.exceptions import WebSocketException

from driver_sim.client import reconnect
from driver_sim.client.client import DriverClient
from tests.proxies.programs import Proxy
from tests.service import Service, token_of
from tests.test_end_to_end import on_the_way
from tests.waiting import until
from tracker.domain.tracks.fix import Fix

WITHIN = 60.0  # seconds
DRIVERS = 3


class Watcher:
    """A customer who comes back with the cursor until the end."""

    def __init__(self, proxy: Proxy, token: str, transport: str) -> None:
        self.connections = 0
        self.state: dict[str, Any] = {}
        self.end = ""
        self._proxy, self._link = proxy, f"/v1/track/{token}"
        self._watch = self._over_websocket if transport == "ws" else self._over_events

    async def run(self) -> None:
        while not self.end:
            with suppress(OSError, httpx.HTTPError, WebSocketException):
                await self._watch()
            await asyncio.sleep(0.05)  # simulates a client's back-off

    async def _over_websocket(self) -> None:
        async with self._proxy.socket(f"{self._link}/stream?cursor={self.state.get('cursor', '')}") as socket:
            self.connections += 1
            async for text in socket:
                self._hear(msgspec.json.decode(text))

    async def _over_events(self) -> None:
        async with (
            self._proxy.client() as client,
            client.stream(
                "GET", f"{self._link}/events", headers={"Last-Event-ID": self.state.get("cursor", "")}
            ) as response,
        ):
            self.connections += 1
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    self._hear(msgspec.json.decode(line.removeprefix("data: ")))

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "end":
            self.end = message["reason"]
        elif message["type"] in {"snapshot", "update", "heartbeat"}:
            self.state |= message


class Load:
    """One courier who sends ten fixes a second, and the customers of one order."""

    def __init__(self, proxy: Proxy, driver: Any, order: Any) -> None:
        self.order = order
        self.client = DriverClient(proxy.url, driver["token"])
        self.watchers = [Watcher(proxy, token_of(order), transport) for transport in ("ws", "events")]
        self.sent: list[datetime] = []

    async def drive(self, stopped: asyncio.Event) -> None:
        """Add fixes until *stopped*, then report the delivery."""
        while not stopped.is_set():
            now = datetime.now(UTC)
            self.sent.append(now.replace(microsecond=now.microsecond // 1000 * 1000))
            self.client.add(Fix(self.sent[-1], *on_the_way(min(0.9, 0.0005 * len(self.sent))), 5.0))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 0.1)
        assert await self.client.flush(WITHIN)
        await self.client.report(self.order["id"], "picked_up")
        await self.client.report(self.order["id"], "delivered")
        await self.client.close()

    def connections(self) -> int:
        """How often each client has connected at least, now with the courier's fixes flowing again."""
        counts = (self.client.connections, *(watcher.connections for watcher in self.watchers))
        return min(counts) if self.client.connected else 0

    async def stored(self, service: Service) -> list[datetime]:
        """The times of the believed fixes, as the merchant reads them."""
        answer = await service.http.get(f"/v1/orders/{self.order['id']}/track.ndjson")
        lines = answer.text.splitlines()
        return [datetime.fromisoformat(msgspec.json.decode(line)["recorded_at"]) for line in lines]


async def test_a_restart_under_load_loses_nothing(
    proxy: Proxy, behind: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, with every connection cut. Each fix is stored once, and each customer sees the end."""
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate.authority))
    monkeypatch.setattr(reconnect, "RESTART_SPREAD", 0.5)  # Caddy closes sockets with 1001
    loads = []
    for _ in range(DRIVERS):
        driver = await behind.new_driver()
        loads.append(Load(proxy, driver, await behind.new_order(driver["id"])))
    stopped = asyncio.Event()
    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as tasks:
        for load in loads:
            tasks.create_task(load.client.run())
            tasks.create_task(load.drive(stopped))
            for watcher in load.watchers:
                tasks.create_task(watcher.run())
        for times in (1, 2):
            await connected(loads, times)
            await proxy.stop()
            await proxy.start()
        await connected(loads, 3)
        stopped.set()
    for load in loads:
        assert {watcher.end for watcher in load.watchers} == {"delivered"}
        assert await load.stored(behind) == load.sent


async def connected(loads: list[Load], times: int) -> None:
    """Wait until each client has connected this often."""
    await until(lambda: min(load.connections() for load in loads) >= times, 60)
