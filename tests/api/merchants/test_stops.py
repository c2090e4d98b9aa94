"""Several orders of one driver: where a new one is put in, the best sequence, where drivers really stop."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.merchant import eta_by, parse, problem, send_fixes
from tests.api.merchants.test_milestones import route_of
from tests.service import Service, hear, say, token_of
from tracker.domain.geo import LonLat, distance

# Places on one street of the demo area, from north to south, and one off the map.
A, B, C, D = (60.1713, 24.9440), (60.1695, 24.9440), (60.1676, 24.9445), (60.1650, 24.9450)
OFF_THE_MAP = (60.17, 24.40)


def between(pickup: tuple[float, float], dropoff: tuple[float, float], **more: object) -> dict[str, Any]:
    return {
        "pickup": {"lat": pickup[0], "lon": pickup[1]},
        "dropoff": {"lat": dropoff[0], "lon": dropoff[1], **more},
    }


async def sequence(service: Service, driver: Any) -> list[tuple[str, str]]:
    stops = (await service.get(f"/v1/drivers/{driver['id']}/stops"))["stops"]
    return [(stop["order_id"], stop["kind"]) for stop in stops]


async def put(service: Service, driver: Any, *stops: tuple[Any, str]) -> None:
    body = {"stops": [{"order_id": order["id"], "kind": kind} for order, kind in stops]}
    answer = await service.http.put(f"/v1/drivers/{driver['id']}/stops", json=body)
    assert answer.is_success, answer.text


async def stand(service: Service, driver: Any, place: tuple[float, float], ago: float = 0.0) -> None:
    """Three fixes at a place, the last of them so many seconds ago."""
    now = datetime.now(UTC) - timedelta(seconds=ago)
    fixes = [
        {
            "recorded_at": (now - timedelta(seconds=5 * n)).isoformat(),
            "lat": place[0],
            "lon": place[1],
            "accuracy": 5.0,
        }
        for n in (2, 1, 0)
    ]
    await send_fixes(service, driver["token"], *fixes)


async def test_a_new_sequence_is_one_message_to_the_driver_and_reaches_every_watcher(
    service: Service,
) -> None:
    """However many orders it names: one change of the driver's stops updates all of them."""
    driver = await service.new_driver(vehicle="foot")
    first, second = [await service.new_order(driver["id"], **between(B, C)) for _ in range(2)]
    kinds = ("pickup", "dropoff")
    await put(service, driver, *((order, kind) for order in (first, second) for kind in kinds))
    async with service.drive(driver["token"]) as courier, service.watch(first) as customer:
        await hear(courier, "welcome")
        assert (await hear(customer, "snapshot"))["stops_before"] == 0
        await put(service, driver, *((order, kind) for order in (second, first) for kind in kinds))
        await say(courier, type="ping", n=1)
        assert [order["id"] for order in (await hear(courier, "orders"))["orders"]] == [
            second["id"],
            first["id"],
        ]
        assert (await hear(courier, "orders", "pong"))["type"] == "pong"
        assert (await hear(customer, "update"))["stops_before"] == 2


async def test_a_new_order_is_put_in_where_it_costs_least(service: Service) -> None:
    """What lies on the way is served in passing; the first stop stays first."""
    driver = await service.new_driver(vehicle="foot")
    long = await service.new_order(driver["id"], **between(A, D))
    short = await service.new_order(driver["id"], **between(B, C))
    assert await sequence(service, driver) == [
        (long["id"], "pickup"),
        (short["id"], "pickup"),
        (short["id"], "dropoff"),
        (long["id"], "dropoff"),
    ]


async def test_a_stop_without_a_way_is_put_in_like_any_other(service: Service) -> None:
    """A place off the map keeps nobody from being given the order, and the next one from fitting in."""
    driver = await service.new_driver(vehicle="foot")
    lost = await service.new_order(driver["id"], **between(A, OFF_THE_MAP))
    short = await service.new_order(driver["id"], **between(B, C))
    assert await sequence(service, driver) == [
        (lost["id"], "pickup"),
        (short["id"], "pickup"),
        (short["id"], "dropoff"),
        (lost["id"], "dropoff"),
    ]


async def test_the_best_sequence_begins_where_the_driver_is(service: Service) -> None:
    """Whatever was put before: the answer is the sequence, as PUT gives it, and the driver hears of it."""
    driver = await service.new_driver(vehicle="foot")
    orders = [await service.new_order(driver["id"], **between(A, place)) for place in (B, C, D)]
    for order in orders:
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    near, middle, far = orders
    await put(service, driver, (middle, "dropoff"), (far, "dropoff"), (near, "dropoff"))
    path = f"/v1/drivers/{driver['id']}/stops"
    await stand(service, driver, A, ago=60)
    async with service.drive(driver["token"]) as socket:
        await hear(socket, "welcome")
        answer = await service.post(f"{path}/optimize", {})
        southwards = [(order["id"], "dropoff") for order in orders]
        assert [(stop["order_id"], stop["kind"]) for stop in answer["stops"]] == southwards
        assert answer == await service.get(path)
        async with asyncio.timeout(10):
            while [one["id"] for one in (await hear(socket, "orders"))["orders"]] != [
                o["id"] for o in orders
            ]:
                pass
    await stand(service, driver, D)
    answer = await service.post(f"{path}/optimize", {})
    assert [stop["order_id"] for stop in answer["stops"]] == [far["id"], middle["id"], near["id"]]
    etas = [await service.get(f"/v1/orders/{order['id']}/eta") for order in (far, middle, near)]
    assert [eta["stops_before"] for eta in etas] == [0, 1, 2]
    assert [eta["arrives_at"] for eta in etas] == sorted(eta["arrives_at"] for eta in etas)


async def test_a_pickup_stays_before_its_dropoff(service: Service) -> None:
    """Also where the driver stands at the dropoff."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **between(A, D))
    await stand(service, driver, D)
    answer = await service.post(f"/v1/drivers/{driver['id']}/stops/optimize", {})
    assert [stop["kind"] for stop in answer["stops"]] == ["pickup", "dropoff"]
    assert {stop["order_id"] for stop in answer["stops"]} == {order["id"]}


async def test_one_stop_off_the_map_spoils_no_sequence(service: Service) -> None:
    """30 km off, and on another continent: it comes last, whatever the order before."""
    driver = await service.new_driver(vehicle="foot")
    near = await service.new_order(driver["id"], **between(B, C))
    lost = await service.new_order(driver["id"], **between(A, OFF_THE_MAP))
    lost_too = await service.new_order(driver["id"], **between(A, (0.0, 0.0)), anywhere=True)
    await put(
        *(service, driver, (lost, "pickup"), (lost, "dropoff"), (lost_too, "pickup"), (lost_too, "dropoff")),
        *((near, "pickup"), (near, "dropoff")),
    )
    await stand(service, driver, A)
    answer = await service.post(f"/v1/drivers/{driver['id']}/stops/optimize", {})
    served = [(stop["order_id"], stop["kind"]) for stop in answer["stops"]]
    assert served[2:] == [
        (near["id"], "pickup"),
        (near["id"], "dropoff"),
        (lost["id"], "dropoff"),
        (lost_too["id"], "dropoff"),
    ]


async def test_what_cannot_be_sequenced_is_refused_by_name(service: Service) -> None:
    """An unknown driver is a missing one; nothing to sequence is no error."""
    driver = await service.new_driver()
    assert await service.post(f"/v1/drivers/{driver['id']}/stops/optimize", {}) == {"stops": []}
    problem(await service.http.post("/v1/drivers/drv_none/stops/optimize"), 404, "not-found")


async def test_a_driver_who_serves_another_stop_first_is_followed(service: Service) -> None:
    """The plan is what is left; the others' forecasts know of one stop less."""
    driver = await service.new_driver()
    first = await service.new_order(driver["id"], **between(A, C))
    second = await service.new_order(driver["id"], **between(A, D))
    await put(service, driver, (first, "pickup"), (second, "pickup"), (first, "dropoff"), (second, "dropoff"))
    await stand(service, driver, A)
    before = await service.get(f"/v1/orders/{second['id']}/eta")
    assert before["stops_before"] == 2
    async with service.drive(driver["token"]) as socket:
        await hear(socket, "welcome")
        for n, (order, status) in enumerate(((second, "picked_up"), (second, "delivered"))):
            await say(socket, type="status", id=n, order_id=order["id"], status=status)
            assert (await hear(socket, "ack", "error"))["type"] == "ack"
    assert await sequence(service, driver) == [(first["id"], "pickup"), (first["id"], "dropoff")]
    assert (await eta_by(service, first, "route"))["stops_before"] == 0


async def test_the_route_leads_to_where_drivers_really_stop(service: Service) -> None:
    """Three who stood at one place move the target of the fourth; what is shown stays as it was given."""
    given, door = (60.1650, 24.9410), (60.1650, 24.9429)  # about 105 m apart
    ends = between(A, given, address="Stop pin street 7 B")
    for n in range(4):
        driver = await service.new_driver(vehicle="foot")
        order = await service.new_order(driver["id"], **ends)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
        await stand(service, driver, (60.1665, 24.9440), ago=60)
        end = (await route_of(service, order))[-1]
        from_door, from_given = (distance(end, LonLat(lon, lat)) for lat, lon in (door, given))
        assert (from_door < from_given) == (n == 3), n
        snapshot = await service.get(f"/v1/track/{token_of(order)}")
        assert (snapshot["order"]["dropoff"]["lat"], snapshot["order"]["dropoff"]["lon"]) == given
        await stand(service, driver, door)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})


async def test_forecasts_know_how_long_stops_take_at_a_place(service: Service) -> None:
    """Three who were off again at once: the next one's customer is not told of a usual wait at that shop."""
    shop = (60.1676, 24.9445)
    ends = between(shop, D)
    ends["pickup"]["address"] = "Quick counter 1"
    seconds = []
    for _ in range(4):
        driver = await service.new_driver(vehicle="car")
        order = await service.new_order(driver["id"], **ends)
        await stand(service, driver, B, ago=60)
        await route_of(service, order)
        eta = await service.get(f"/v1/orders/{order['id']}/eta")
        assert eta["basis"] == "route"
        seconds.append((parse(eta["arrives_at"]) - parse(eta["computed_at"])).total_seconds())
        await stand(service, driver, shop)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    assert seconds[0] - seconds[-1] > 20.0, seconds
