"""Verdicts at the wire: judged once, by neighbours in time, and again where later fixes contradict them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from tests.service import Service, hear, say, token_of

P = (60.1713, 24.9440)
FAR = 0.126  # degrees of latitude: 14 km


def fix(seconds_ago: float, lat: float = P[0], **more: object) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {"recorded_at": at.isoformat(), "lat": lat, "lon": P[1], "accuracy": 5, **more}


async def on_the_road(service: Service, database: str) -> tuple[Any, Any]:
    """A driver with an order since an hour ago, so that fixes of that time are on its track."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always", "route": "always"})
    connection = await asyncpg.connect(database)
    await connection.execute(
        "UPDATE assignments SET begun_at = begun_at - interval '1 hour' WHERE order_id = $1", order["id"]
    )
    await connection.close()
    return driver, order


async def sent(courier: Any, number: int, fixes: Sequence[dict[str, Any]]) -> Any:
    await say(courier, type="fixes", id=number, fixes=list(fixes))
    return await hear(courier, "ack", "error")


async def reasons(service: Service, order: Any) -> list[str | None]:
    track = await service.get(f"/v1/orders/{order['id']}/track.json?include=rejected&limit=500")
    return [one["reason"] for one in track["items"]]


async def summary(service: Service, order: Any) -> Any:
    return (await service.get(f"/v1/orders/{order['id']}/history"))["summary"]


async def second_attempt(database: str) -> None:
    """Ends the sessions that wait for a lock, so that only later ones can store anything, and awaits one."""
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    connection = await asyncpg.connect(database)
    async with asyncio.timeout(10):
        first = {row["pid"] for row in await connection.fetch(waiting)}
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", list(first)
        )
        while not {row["pid"] for row in await connection.fetch(waiting)} - first:
            pass  # each look lets others go on
    await connection.close()


async def test_a_retry_and_a_resend_keep_the_first_verdict(service: Service, service_database: str) -> None:
    """With the database locked: the service retries over the socket, the client resends over HTTP."""
    (driver, order), (other, others) = [await on_the_road(service, service_database) for _ in range(2)]
    header = {"Authorization": f"Bearer {other['token']}"}
    message = [fix(20), fix(10, lat=P[0] + FAR), fix(8)]
    blocker = await asyncpg.connect(service_database)
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE fixes IN ACCESS EXCLUSIVE MODE")
            posting = service.http.post("/v1/drivers/fixes", json=message, headers=header)
            await say(courier, type="fixes", id=1, fixes=message)
            answer = (await asyncio.gather(posting, hear(courier, "slow", within=15)))[0]
            assert answer.status_code == 503
            await second_attempt(service_database)
        ack = await hear(courier, "ack", within=15)
        assert ack["stored"] + ack["duplicates"] == 3
    again = await service.http.post("/v1/drivers/fixes", json=message, headers=header)
    assert again.json()["stored"] + again.json()["duplicates"] == 3
    await blocker.close()
    assert await reasons(service, order) == await reasons(service, others) == [None, "teleport", None]


async def test_a_doubted_fix_sent_again_moves_nothing(service: Service, service_database: str) -> None:
    """However often it comes it is one fix, not three that agree. Its other content counts for nothing."""
    driver, order = await on_the_road(service, service_database)
    false = fix(5, lat=P[0] + FAR)
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, [fix(6), false])
        for number in range(2, 6):
            ack = await sent(courier, number, [false | {"lat": P[0] + 1e-4 if number == 5 else false["lat"]}])
            assert (ack["stored"], ack["duplicates"]) == (0, 1)
    seen = await service.get(f"/v1/track/{token_of(order)}")
    assert seen["position"]["lat"] == P[0]
    assert await reasons(service, order) == [None, "teleport"]


async def test_a_backlog_is_judged_by_its_neighbours(service: Service, service_database: str) -> None:
    """The newest fix first, then the rest, in which one lies 296 km off: it alone is doubted."""
    driver, order = await on_the_road(service, service_database)
    way = [fix(600 - 5 * n, lat=P[0] + n * 2.5e-5) for n in range(101)]
    way[40]["lat"] += 2.66
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, way[-1:])
        for number, begin in enumerate(range(0, 100, 20), 2):
            assert (await sent(courier, number, way[begin : begin + 20]))["rejected"] == []
            seen = await service.get(f"/v1/track/{token_of(order)}")
            assert seen["position"]["lat"] == way[-1]["lat"]
    assert [reason is None for reason in await reasons(service, order)] == [n != 40 for n in range(101)]
    numbers = await summary(service, order)
    assert (numbers["fixes"], numbers["rejected"]) == (100, 1)
    assert 277 <= numbers["distance_m"] <= 279


async def test_late_fixes_are_judged_by_what_is_stored(service: Service, service_database: str) -> None:
    """A gap in a long track is filled hours of fixes later; what lies off the way is doubted there, too."""
    driver, order = await on_the_road(service, service_database)
    way = [fix(2_000 - 5 * n, lat=P[0] + n * 2.5e-5) for n in range(401)]
    way[105]["lat"] += 0.1
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, [*way[:100], *way[120:]])
        for number, late in enumerate(way[100:120], 2):
            assert (await sent(courier, number, [late]))["stored"] == 1
    assert [reason is None for reason in await reasons(service, order)] == [n != 105 for n in range(401)]


async def test_a_false_first_fix_is_taken_back(service: Service, service_database: str) -> None:
    """In the live view, the stored rows, the numbers, the driver's state, and what was answered before."""
    driver, order = await on_the_road(service, service_database)
    true = [fix(60 - 5 * n, lat=P[0] + n * 1e-4) for n in range(10)]
    track = f"/v1/orders/{order['id']}/track"
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, [fix(70, lat=P[0] + FAR)])
        for number in (2, 3):
            await sent(courier, number, [true[number - 2]])
        assert await reasons(service, order) == [None, "teleport", "teleport"]
        assert (await service.get(f"/v1/track/{token_of(order)}"))["position"]["lat"] == P[0] + FAR
        tag = (await service.http.get(track)).headers["ETag"]
        for number in range(4, 12):
            await sent(courier, number, [true[number - 2]])
    assert await reasons(service, order) == ["teleport"] + [None] * 10
    numbers = await summary(service, order)
    assert (numbers["fixes"], numbers["rejected"]) == (10, 1)
    assert numbers["distance_m"] < 200
    answer = await service.http.get(track, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert len(answer.json()["geometry"]["coordinates"]) == 10
    seen = await service.get(f"/v1/track/{token_of(order)}")
    assert seen["position"]["lat"] == true[-1]["lat"]
    assert seen["trail"]["coordinates"]
    assert all(abs(lat - P[0]) < 0.01 for _, lat in seen["trail"]["coordinates"])
    assert (await service.get(f"/v1/drivers/{driver['id']}"))["last_fix"]["lat"] == true[-1]["lat"]
