"""Drivers and stops off the map: forecasts stay honest, for them and for everybody else."""

import asyncio
from typing import Any

from tests.api.test_stops import A, D, between, stand
from tests.service import Service


async def eta_by(service: Service, order: Any, basis: str) -> Any:
    """The forecast, once it has this basis."""
    async with asyncio.timeout(10):
        while True:
            eta = await service.get(f"/v1/orders/{order['id']}/eta")
            if eta["basis"] == basis:
                return eta
            await asyncio.sleep(0.05)


async def test_a_courier_who_leaves_the_map_is_not_forecast_by_the_old_route(service: Service) -> None:
    """A straight line at once, by the way there really is; and the route again after the return."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **between(A, D))
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    await stand(service, driver, A, ago=1200.0)
    assert (await eta_by(service, order, "route"))["distance_m"] < 2_000.0
    await stand(service, driver, (60.1713, 24.7), ago=600.0)
    eta = await service.get(f"/v1/orders/{order['id']}/eta")
    assert eta["basis"] == "straight_line"
    assert 13_000.0 < eta["distance_m"] < 14_000.0
    await stand(service, driver, A)
    assert (await eta_by(service, order, "route"))["distance_m"] < 2_000.0
