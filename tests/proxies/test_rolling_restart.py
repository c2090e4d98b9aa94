"""A pair behind HAProxy is restarted, one node after the other, while drivers stream and customers watch."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from driver_sim.client.client import DriverClient
from tests.faults.check import ended, everybody_leaves, settle
from tests.faults.cluster import Cluster
from tests.proxies.page_client import PageClients
from tests.proxies.pair import serves_through
from tests.proxies.programs import Certificate
from tests.proxies.rolling import PairWorld
from tests.test_end_to_end import on_the_way
from tests.waiting import until
from tracker.domain.tracks.fix import Fix

LONGEST_WAIT: Final = 5.0  # seconds without a position, at 1 Hz
QUICK: Final = 1.5  # seconds between two positions on a machine that has time
QUIET: Final = 10.0  # seconds of looking at an undisturbed pair
PRODUCT: Final = 4  # drivers with the simulator's client, and customers with the page's
CODES: Final = {1012}  # with which a node that stops closes


@pytest.mark.long
@pytest.mark.parametrize("drivers", [40, 200])
async def test_nothing_is_lost_and_nobody_waits(
    data_dir: Path,
    tmp_path: Path,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    drivers: int,
) -> None:
    """Each fix is stored once, and no customer is without a new position for more than five seconds."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    async with (
        Cluster.open(tmp_path / "cluster") as cluster,
        PairWorld.running(tmp_path, data_dir, cluster, certificate, drivers) as world,
    ):
        simulated = [await SimulatedDriver.on_duty(world) for _ in range(PRODUCT)]
        async with PageClients.watching(world.balancer, [one.order for one in simulated]) as pages:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(work) for one in simulated for work in (one.client.run(), one.drive())
                ]
                await until(lambda: all(one.acknowledged > 3 for one in simulated))
                quiet = await world.longest_wait_in(QUIET)
                world.measure()
                for node in world.nodes:
                    await node.restart()
                    await until(lambda node=node: serves_through(world.balancer, node))  # type: ignore[misc]
                longest = await world.longest_wait()
                slowness = max(1.0, quiet / QUICK, world.longest_round)
                for one in simulated:
                    one.parked = True
                    await one.deliver()
                for task in running:
                    task.cancel()
            page_waits = await pages.longest_waits()
        for one in simulated:
            assert await one.stored(world) == one.made
            await one.is_erased(world)
        await settle(world)
        await world.balancer.stop()
        await everybody_leaves(world)
        wrong = await ended(world)
    print(
        f"{drivers} drivers: longest wait {longest:.1f} s, of pages {max(page_waits):.1f} s, "
        f"without a restart {quiet:.1f} s; drivers took {world.longest_round:.1f} s from fix to fix"
    )
    assert wrong == []
    assert set(world.closes) >= CODES, Counter(world.closes)
    assert max(longest, *page_waits) < LONGEST_WAIT * slowness
    for one in simulated:
        assert one.client.counts["acked"] == one.made
        assert one.client.reconnects > 0


class SimulatedDriver:
    """A driver with the simulator's client, at one fix a second."""

    def __init__(self, url: str, driver: Any, order: Any) -> None:
        self.client, self.order = DriverClient(url, driver["token"]), order
        self.made, self.parked = 0, False

    @classmethod
    async def on_duty(cls, world: PairWorld) -> "SimulatedDriver":
        async with world.node.merchant() as http:
            driver = (await http.post("/v1/drivers", json={"name": "Aino K.", "vehicle": "car"})).json()
            body = {
                "pickup": {"lat": 60.1713, "lon": 24.9440},
                "dropoff": {"lat": 60.1666, "lon": 24.9486},
                "driver_id": driver["id"],
                "visibility": {"position": "always"},
            }
            order = (await http.post("/v1/orders", json=body)).json()
        return cls(world.balancer.url, driver, order)

    @property
    def acknowledged(self) -> int:
        return self.client.counts["acked"]

    async def drive(self) -> None:
        while not self.parked:
            self.client.add(Fix(datetime.now(UTC), *on_the_way(min(0.9, 0.002 * self.made)), 5.0))
            self.made += 1
            await asyncio.sleep(1.0)  # simulates the interval between fixes

    async def stored(self, world: PairWorld) -> int:
        """How many of its fixes the merchant reads."""
        async with world.node.merchant() as http:
            return len((await http.get(f"/v1/orders/{self.order['id']}/track.ndjson")).text.splitlines())

    async def is_erased(self, world: PairWorld) -> None:
        """The checker knows other drivers only."""
        async with world.node.merchant() as http:
            assert (await http.delete(f"/v1/drivers/{self.order['driver_id']}")).is_success

    async def deliver(self) -> None:
        assert await self.client.flush(60.0)
        await self.client.report(self.order["id"], "picked_up")
        await self.client.report(self.order["id"], "delivered")
