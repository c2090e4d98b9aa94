"""Watching: customers, each with a driver whose fixes they wait for, and how long that takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.faults.node import Node

FIX_EVERY: Final = 0.6  # seconds: a customer is told at most twice a second
PLACES: Final = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}

# Of a change of anything else a customer would be told first, and of the fix half a second later.
ONLY_POSITIONS: Final = {"position": "always", "eta": "never", "route": "never", "stops_before": "never"}


class Job(msgspec.Struct, frozen=True):
    """A driver with an order, and its customer's token."""

    token: str
    link: str


class Watching:
    """Drivers send each at their own moments, by the clock: no stop of anybody's makes them send together."""

    def __init__(self, node: Node, jobs: list[Job]) -> None:
        self._node, self._jobs = node, jobs
        self.took: list[float] = []  # milliseconds
        self._sent: dict[str, float] = {}
        self._began = monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._one(number, job)) for number, job in enumerate(self._jobs)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, number: int, job: Job) -> None:
        base = f"ws://127.0.0.1:{self._node.port}/v1"
        headers = {"Authorization": f"Bearer {job.token}"}
        async with (
            connect(
                f"{base}/drivers/stream", additional_headers=headers, compression=None, proxy=None
            ) as driver,
            connect(f"{base}/track/{job.link}/stream", compression=None, proxy=None) as customer,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._see(customer))
            tasks.create_task(_discard(driver))
            await self._drive(driver, job, number / len(self._jobs))

    async def _drive(self, driver: ClientConnection, job: Job, phase: float) -> None:
        step = int((monotonic() - self._began) / FIX_EVERY) + 1
        while True:
            await asyncio.sleep(self._began + (step + phase) * FIX_EVERY - monotonic())
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            fix = {"recorded_at": at, "lat": 60.1713 - step * 2e-5, "lon": 24.9440, "speed": 4.0}
            message = msgspec.json.encode({"type": "fixes", "id": step, "fixes": [fix]}).decode()
            self._sent[f"{job.link} {at}"] = monotonic()
            await driver.send(message)
            step += 1

    async def _see(self, customer: ClientConnection) -> None:
        link = customer.request.path.split("/")[3] if customer.request else ""
        async for raw in customer:
            now = monotonic()
            position = msgspec.json.decode(raw).get("position")
            if position and (sent := self._sent.pop(f"{link} {position['recorded_at']}", None)):
                self.took.append((now - sent) * 1_000)

    def seen(self) -> list[float]:
        """Milliseconds of what was seen since the last call."""
        took, self.took = self.took, []
        return took


async def _discard(driver: ClientConnection) -> None:
    async for _ in driver:
        pass


async def new_jobs(node: Node, count: int) -> list[Job]:
    jobs = []
    async with node.merchant() as http:
        for number in range(count):
            driver = (
                await http.post("/v1/drivers", json={"name": f"Kuski {number}", "vehicle": "car"})
            ).json()
            body = {**PLACES, "driver_id": driver["id"], "visibility": ONLY_POSITIONS}
            order = (await http.post("/v1/orders", json=body)).json()
            jobs.append(Job(driver["token"], order["tracking_url"].rsplit("/", 1)[1]))
    return jobs
