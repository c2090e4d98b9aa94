"""A node that stops gives its drivers and customers to another one, a few at a time."""

import asyncio
from collections.abc import Callable

import pytest

from tests.live.nodes.site import LAT, Device, fix, new_driver, new_order, nodes
from tests.live.nodes.test_views import Customer
from tests.waiting import until
from tracker.database import Database
from tracker.live import restart


class Leaving(Device):
    """A device that does something as soon as it is sent away."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__()
        self._leave = leave

    def restart(self) -> None:
        super().restart()
        self._leave()


async def test_a_driver_is_sent_away_once_the_trip_is_free(database: Database) -> None:
    """So the node where the driver arrives owns it at once, and asks nobody."""
    drivers = [await new_driver(database, name) for name in ("Aino", "Eero", "Iida")]
    async with nodes(database) as (a, b):
        owned: list[bool] = []
        for driver in drivers:
            a.fleet.connect(driver.id, Leaving(lambda driver=driver: owned.append(a.owns(driver))))  # type: ignore[misc]
            await a.store(driver, fix(3))
        await a.fleet.drain()
        assert owned == [False] * 3
        a.bus.disconnect()
        for driver in drivers:
            assert (await b.store(driver, fix(2))).stored == 1
            assert b.owns(driver)


async def test_customers_who_are_still_here_see_the_trip_go_on_elsewhere(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drivers leave first. Their customers hear from the next owner until their own turn comes."""
    monkeypatch.setattr(restart, "RECONNECTS_PER_S", 4)
    driver = await new_driver(database)
    async with nodes(database) as (a, b), asyncio.TaskGroup() as tasks:
        order = await new_order(a, driver)
        await a.store(driver, fix(3))
        customer = await Customer(a, order.id).open()
        seen: list[float] = []

        def drive_on() -> None:
            tasks.create_task(b.store(driver, fix(0, LAT + 0.001)))

        async def see() -> None:
            await until(lambda: customer.look()["position"].lat == LAT + 0.001)
            seen.append(customer.subscription.restarting)

        a.fleet.connect(driver.id, Leaving(drive_on))
        tasks.create_task(see())
        await a.fleet.drain()
        assert b.owns(driver)
        assert seen == [False]
        assert customer.subscription.restarting
