"""A running service learns from what it sees, goes on with it after a restart, lives without its router."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from tests import hasty_node
from tests.api.merchant import backdate, rfc3339, send_fixes
from tests.service import Service, metric, running_service, token_of, until_metric
from tests.waiting import until
from tracker.domain.geo import LonLat, distance, interpolate
from tracker.routing.circuit_breaker import FAILURES

SPEED = 8.0  # m/s
EVERY = 5.0  # seconds between two fixes
WITHIN = 30.0  # seconds
TAUGHT = """
SELECT (SELECT count(*) FROM eta_lessons) + (SELECT coalesce(sum(arrivals), 0) FROM eta_knowledge)
"""


async def route_of(service: Service, order: Any) -> list[LonLat]:
    """What the customer sees of the way, once there is one."""

    async def route() -> Any:
        return (await service.get(f"/v1/track/{token_of(order)}"))["route"]

    return [LonLat(*place) for place in (await until(route, WITHIN))["coordinates"]]


def along(line: list[LonLat]) -> list[LonLat]:
    """Places on the line, as far apart as a driver comes between two fixes."""
    places, rest = [line[0]], SPEED * EVERY
    for a, b in pairwise(line):
        length, done = distance(a, b), 0.0
        while length - done >= rest:
            done += rest
            places.append(interpolate(a, b, done / length))
            rest = SPEED * EVERY
        rest -= length - done
    return [*places, line[-1]]


async def delivered(service: Service, driver: Any, database_url: str) -> Any:
    """An order that the driver brings from its pickup to its dropoff, over the streets."""
    order = await service.new_order(driver["id"])
    order = await backdate(database_url, order, timedelta(minutes=9))
    fetched = {"status": "picked_up", "at": order["timestamps"]["assigned"]}
    await service.post(f"/v1/orders/{order['id']}/status", fetched)
    first = {"lat": order["pickup"]["lat"], "lon": order["pickup"]["lon"]}
    begin = datetime.now(UTC) - timedelta(minutes=8)
    await send_fixes(service, driver["token"], {"recorded_at": rfc3339(begin), **first})
    places = along(await route_of(service, order))
    fixes = [
        {
            "recorded_at": rfc3339(begin + timedelta(seconds=EVERY * number)),
            "lat": place.lat,
            "lon": place.lon,
            "speed": SPEED,
        }
        for number, place in enumerate(places, start=1)
    ]
    await send_fixes(service, driver["token"], *fixes)
    over = {"status": "delivered", "at": fixes[-1]["recorded_at"]}
    await service.post(f"/v1/orders/{order['id']}/status", over)
    return order


async def test_what_a_node_learns_outlives_it(data_dir: Path, database_url: str) -> None:
    """An arrival is learned from, stands in the database, and the next life begins with it."""
    async with running_service(data_dir, database_url, program=hasty_node.PROGRAM) as service:
        assert await metric(service, "tracker_eta_arrivals_learned") == 0
        await delivered(service, await service.new_driver(), database_url)
        await until_metric(service, "tracker_eta_arrivals_learned", 1)
        assert await service.stop() == 0
    connection = await asyncpg.connect(database_url)
    state = msgspec.json.decode(
        await connection.fetchval("SELECT state FROM eta_knowledge WHERE vehicle = 'car'")
    )
    assert state["whole"]["observed"] > 30
    assert await connection.fetchval("SELECT count(*) FROM driver_paces WHERE observed > 30") == 1
    await connection.close()
    async with running_service(data_dir, database_url, program=hasty_node.PROGRAM) as service:
        assert await metric(service, "tracker_eta_arrivals_learned") == 1
        await delivered(service, await service.new_driver(), database_url)
        await until_metric(service, "tracker_eta_arrivals_learned", 2)


async def test_an_order_that_is_ended_from_afar_teaches_nothing(data_dir: Path, database_url: str) -> None:
    """Whoever says that it is delivered while the driver is far away tells no arrival."""
    async with running_service(data_dir, database_url) as service:
        driver = await service.new_driver()
        far = await service.new_order(driver["id"])
        at = rfc3339(datetime.now(UTC))
        await send_fixes(service, driver["token"], {"recorded_at": at, "lat": 60.1713, "lon": 24.9440})
        await route_of(service, far)
        for status in ("picked_up", "delivered"):
            await service.post(f"/v1/orders/{far['id']}/status", {"status": status})
        await delivered(service, await service.new_driver(), database_url)
        assert await service.stop() == 0  # which stores every arrival that is not learned yet
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval(TAUGHT) == 1
    await connection.close()


async def test_without_a_router_the_service_lives(data_dir: Path, database_url: str) -> None:
    """It starts, forecasts by straight lines and says so, and is ready; those who watch it are told."""
    async with running_service(data_dir, database_url, TRACKER_ROUTER="http://127.0.0.1:9") as service:
        at = rfc3339(datetime.now(UTC))
        for _ in range(FAILURES):
            driver = await service.new_driver()
            order = await service.new_order(driver["id"])
            fix = {"recorded_at": at, "lat": 60.1713, "lon": 24.9440}
            await send_fixes(service, driver["token"], fix)
        assert (await service.get(f"/v1/orders/{order['id']}/eta"))["basis"] == "straight_line"
        await until_metric(service, "tracker_router_up", 0)
        ready = await service.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "degraded": ["router"]})


async def test_with_the_router_as_a_child_nothing_differs(data_dir: Path, database_url: str) -> None:
    """The forecast rests on a route, and the child ends with the service."""
    async with running_service(data_dir, database_url, TRACKER_ROUTER="child") as service:
        driver = await service.new_driver()
        order = await delivered(service, driver, database_url)
        kinds = {
            item["basis"] for item in (await service.get(f"/v1/orders/{order['id']}/eta/history"))["items"]
        }
        assert "route" in kinds
        assert [engine async for engine in engines(service.process.pid)] != []
        pid = service.process.pid
        assert await service.stop() == 0
    assert [engine async for engine in engines(pid)] == []


async def engines(parent: int) -> AsyncIterator[int]:
    """Process ids of the engines that this process serves."""
    for status in await asyncio.to_thread(lambda: list(Path("/proc").glob("[0-9]*/stat"))):
        try:
            name, _, rest = status.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name.startswith("valhalla_servic") and int(rest.split()[1]) == parent:
            yield int(status.parent.name)
