"""Two real nodes on one database and one bus: what users see while nodes and bus come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.nats import NatsServer, nats_server
from tests.service import Service, hear, running_service, say
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import until

LONG = 10.0  # seconds until customers have the final state after a kill


@asynccontextmanager
async def two_nodes(folder: Path, database_url: str, bus: NatsServer) -> AsyncIterator[list[Service]]:
    async with AsyncExitStack() as stack:
        running = (running_service(folder, database_url, NATS_URL=bus.url) for _ in range(2))
        yield await asyncio.gather(*map(stack.enter_async_context, running))


async def drive(courier: Any, *steps: float) -> float:
    """Send a position for each step of the way, wait for each `ack`, and return the last latitude."""
    for n, step in enumerate(steps):
        await say(courier, type="fixes", id=n, fixes=[fix(0.0, *on_the_way(step))])
        await hear(courier, "ack")
    return on_the_way(steps[-1])[0]


async def sees(watcher: Any, lat: float, within: float = 30.0) -> None:
    """Wait until the customer sees the driver at this latitude."""
    async with asyncio.timeout(within):
        while True:
            position = (await hear(watcher, "snapshot", "update", within=within)).get("position")
            if position is not None and abs(position["lat"] - lat) < 1e-6:
                return


async def test_nodes_and_bus_come_and_go(data_dir: Path, database_url: str) -> None:
    """One delivery: the customer on one node, the driver on the other, and each part failing in turn."""
    async with nats_server() as bus, two_nodes(data_dir, database_url, bus) as (a, b):
        driver = await a.new_driver()
        order = await a.new_order(driver["id"])
        async with a.watch(order) as watcher:
            async with b.watch(order) as near, b.drive(driver["token"]) as courier:
                welcome = await hear(courier, "welcome")
                assert [one["id"] for one in welcome["orders"]] == [order["id"]]
                await sees(watcher, await drive(courier, 0.0, 0.01, 0.02))
                await _phone_reaches_the_other_node(a, driver["token"], watcher)
                await _bus_is_killed_and_comes_back(a, bus, order, courier, watcher)
                await _owner_stands_still(a, b, driver["token"], watcher, near)
            async with b.drive(driver["token"]) as courier:
                await hear(courier, "welcome")
                last = await drive(courier, 0.09)
                b.process.send_signal(signal.SIGKILL)
                await b.process.wait()
            await sees(watcher, last, LONG)
        async with a.drive(driver["token"]) as courier, a.watch(order) as watcher:
            await hear(courier, "welcome")
            await sees(watcher, await drive(courier, 0.10), LONG)


async def _phone_reaches_the_other_node(a: Service, token: str, watcher: Any) -> None:
    """Its position is forwarded to the owner, and acknowledged after the commit."""
    body, headers = {"fixes": [fix(0.0, *on_the_way(0.03))]}, {"Authorization": f"Bearer {token}"}
    posted = await a.http.post("/v1/drivers/fixes", json=body, headers=headers)
    assert posted.json()["stored"] == 1
    await sees(watcher, on_the_way(0.03)[0])


async def _bus_is_killed_and_comes_back(
    a: Service, bus: NatsServer, order: Any, courier: Any, watcher: Any
) -> None:
    """Without it, views and changes are polled from PostgreSQL."""

    async def is_degraded() -> bool:
        return "bus" in (await a.get("/readyz")).get("degraded", [])

    async def is_whole() -> bool:
        return not await is_degraded()

    await bus.kill()
    await until(is_degraded)
    await sees(watcher, await drive(courier, 0.04))
    await a.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    while (await hear(courier, "orders"))["orders"][0]["status"] != "picked_up":
        pass
    await bus.start()
    await until(is_whole)
    await sees(watcher, await drive(courier, 0.05))


async def _owner_stands_still(a: Service, b: Service, token: str, watcher: Any, near: Any) -> None:
    """Its driver goes on at the other node. When it wakes up it shows that, and nothing of its own."""
    b.process.send_signal(signal.SIGSTOP)
    try:
        async with a.drive(token) as again:
            await hear(again, "welcome")
            last = await drive(again, 0.06, 0.07)
            await sees(watcher, last)
    finally:
        b.process.send_signal(signal.SIGCONT)
    await sees(near, last)
