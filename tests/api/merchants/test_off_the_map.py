"""Drivers and stops off the map: forecasts stay honest, for them and for everybody else."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.merchant import eta_by, parse, wrong_fields
from tests.api.merchants.test_stops import A, D, between, put, stand
from tests.service import Service


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


HERE = {"lat": 60.1713, "lon": 24.9440}
SWAPPED = {"lat": 24.9440, "lon": 60.1713}
NULL_ISLAND = {"lat": 0.0, "lon": 0.0}
FAR_OFF = {"lat": 60.1713, "lon": 19.6}  # 300 km
MISTAKES: dict[str, dict[str, float]] = {
    "null island": NULL_ISLAND,
    "swapped": SWAPPED,
    "far off": FAR_OFF,
    "a pole": {"lat": 90, "lon": 24.9},
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_stop_that_nobody_can_mean_is_refused(service: Service, mistake: str) -> None:
    """By name, at either end, in a new order and in a change; `anywhere` lets it through."""
    place = MISTAKES[mistake]
    for end, other in (("dropoff", "pickup"), ("pickup", "dropoff")):
        answer = await service.http.post("/v1/orders", json={end: place, other: HERE})
        assert wrong_fields(answer) == [end]
        assert ("swapped" in answer.json()["errors"][0]["detail"]) == (mistake == "swapped")
    both = await service.http.post("/v1/orders", json={"dropoff": place, "pickup": place})
    assert wrong_fields(both) == ["pickup", "dropoff"]
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}"
    assert wrong_fields(await service.http.patch(path, json={"dropoff": place})) == ["dropoff"]
    assert (await service.get(path))["dropoff"]["lat"] == order["dropoff"]["lat"]
    moved = await service.http.patch(path, json={"dropoff": place, "anywhere": True})
    assert moved.status_code == 200
    assert moved.json()["dropoff"]["lat"] == place["lat"]
    renamed = await service.http.patch(path, json={"dropoff": {"address": "Buoy 7"}})
    assert renamed.status_code == 200, "a place that stays is not checked again"
    await service.post("/v1/orders", {"pickup": HERE, "dropoff": place, "anywhere": True})


async def test_a_stop_off_the_map_is_accepted(service: Service) -> None:
    """30 km from its edge."""
    await service.post("/v1/orders", {"pickup": HERE, "dropoff": {"lat": 60.17, "lon": 24.40}})


@pytest.mark.parametrize(
    "bad", [(0.0, 0.0), (24.94, 60.17), (60.1713, 19.6), (60.17, 24.80), (90.0, 24.94), (60.17, 180.0)]
)
async def test_one_bad_stop_spoils_no_other_forecast(service: Service, bad: tuple[float, float]) -> None:
    """Served first, says the sequence; the next customer's forecast is one of today all the same."""
    driver = await service.new_driver()
    lost = await service.new_order(driver["id"], **between(A, bad), anywhere=True)
    near = await service.new_order(driver["id"], **between(A, D))
    for order in (lost, near):
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    await put(service, driver, (lost, "dropoff"), (near, "dropoff"))
    await stand(service, driver, A)
    far = bad != (60.17, 24.80)
    eta = await eta_by(service, near, "route" if far else "straight_line")
    arrives_in = parse(eta["arrives_at"]) - datetime.now(UTC)
    assert arrives_in < timedelta(minutes=20 if far else 120)
    spoilt = await service.get(f"/v1/orders/{lost['id']}/eta")
    assert spoilt["basis"] == "straight_line"
    assert spoilt["arrives_at"] is not None
    answer = await service.post(f"/v1/drivers/{driver['id']}/stops/optimize", {})
    assert [stop["order_id"] for stop in answer["stops"]] == [near["id"], lost["id"]]
    await eta_by(service, near, "route")
