"""What drivers see and export of what is stored about them, with their own token."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import asyncpg
import httpx
import msgspec
import pytest

from tests.api.driver.test_stream import fix
from tests.api.merchant import problem, send_fixes, wrong_fields
from tests.service import Service, token_of
from tests.waiting import until

CUSTOMER = {"name": "Maija Virtanen", "phone": "+358401234567", "email": "maija@example.org"}
PRIVATE = ("Maija", "Virtanen", "4567", "example.org", "Kasarmikatu", "Firefox", "127.0.0")


async def read(service: Service, driver: Any, path: str, **query: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {driver['token']}"}
    return await service.http.get(f"/v1/drivers/me{path}", headers=headers, params=query)


async def test_a_driver_sees_what_is_stored(service: Service) -> None:
    """Names, positions, duty, device and orders of their own; nothing about a customer."""
    driver = await service.new_driver("Aino Korhonen")
    order = await service.new_order(driver["id"], customer=CUSTOMER)
    await send_fixes(service, driver["token"], fix(2), fix(1, battery=0.5), fix(3, accuracy=900))
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
    answer = await read(service, driver, "")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    me = answer.json()
    assert (me["driver"]["id"], me["driver"]["name"]) == (driver["id"], "Aino Korhonen")
    assert me["driver"]["orders"] == [order["id"]]
    assert me["driver"]["duty"]["on"] is False
    assert me["driver"]["device"]["battery"] == 0.5
    assert me["driver"]["last_fix"]["recorded_at"] == me["last_fix_at"] > me["first_fix_at"]
    assert (me["fixes_kept_days"], me["notes_kept_days"], me["assignments"]) == (30, 90, 1)
    [interval] = me["duty_intervals"]
    assert (interval["duty"], interval["ended_at"]) == ("off", None)
    assert not [word for word in PRIVATE if word in answer.text]


async def test_a_driver_exports_the_own_track(service: Service) -> None:
    """In four formats, a part of it, and the doubted fixes if asked for; without any order."""
    driver, other = await service.new_driver(), await service.new_driver()
    now = datetime.now(UTC)
    fixes = [
        {"recorded_at": (now - timedelta(seconds=n)).isoformat(), "lat": 60.17 + n / 1e5, "lon": 24.94}
        for n in range(10)
    ]
    await send_fixes(service, driver["token"], *fixes, fix(20, accuracy=900))
    await send_fixes(service, other["token"], fix(0, lat=60.2))
    geojson = (await read(service, driver, "/track.geojson")).json()
    assert len(geojson["geometry"]["coordinates"]) == 10
    assert geojson["properties"]["driver_id"] == driver["id"]
    gpx = ElementTree.fromstring((await read(service, driver, "/track.gpx")).content)
    assert len(gpx.findall(".//{*}trkpt")) == 10
    rows = list(csv.DictReader(io.StringIO((await read(service, driver, "/track.csv")).text)))
    assert [float(row["lat"]) for row in rows] == pytest.approx([60.17 + n / 1e5 for n in range(9, -1, -1)])
    lines = (await read(service, driver, "/track.ndjson", include="rejected")).text.splitlines()
    assert [msgspec.json.decode(line)["reason"] for line in lines] == ["inaccurate", *[None] * 10]
    part = {
        "from": (now - timedelta(seconds=5.5)).isoformat(),
        "to": (now - timedelta(seconds=2.5)).isoformat(),
    }
    assert len((await read(service, driver, "/track.ndjson", **part)).text.splitlines()) == 3


async def test_a_driver_sees_when_links_were_opened(service: Service) -> None:
    """Of the own orders, while they had them, page by page; not by whom."""
    driver, other = await service.new_driver(), await service.new_driver()
    order = await service.new_order(driver["id"], customer=CUSTOMER, reference="A-7")
    await service.new_order(other["id"])

    async def open_link() -> None:
        path = f"/v1/track/{token_of(order)}/poll?wait_s=0"
        assert (await service.http.get(path, headers={"User-Agent": "Firefox"})).status_code == 200

    async def opened(driver: Any) -> Any:
        return (await read(service, driver, "/openings")).json()["items"]

    for n in (1, 2):
        await open_link()

        async def is_seen(n: int = n) -> bool:
            return len(await opened(driver)) == n

        await until(is_seen)
    first = (await read(service, driver, "/openings", limit=1)).json()
    second = await read(service, driver, "/openings", limit=1, cursor=first["next"])
    assert [*first["items"], *second.json()["items"]] == await opened(driver)
    assert (first["items"][0]["order_id"], first["items"][0]["reference"]) == (order["id"], "A-7")
    assert not [word for word in PRIVATE if word in second.text]
    await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": other["id"]})
    await open_link()

    async def is_seen_by_other() -> bool:
        return len(await opened(other)) == 1

    await until(is_seen_by_other)
    assert len(await opened(driver)) == 2


@pytest.mark.parametrize("path", ["", "/track.csv", "/openings"])
async def test_a_token_that_is_revoked_meanwhile_gets_no_answer(
    service: Service, service_database: str, path: str
) -> None:
    """It is still valid when it is looked up, and no longer when the data have been read."""
    driver, table = await service.new_driver(), "link_opens" if path == "/openings" else "fixes"
    blocker, watcher = [await asyncpg.connect(service_database) for _ in range(2)]
    waiting = "SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted"
    try:
        async with blocker.transaction():
            await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.create_task(read(service, driver, path))
            await until(lambda: watcher.fetchval(waiting, table))
            await service.post(f"/v1/drivers/{driver['id']}/token", {})
        problem(await reading, 401, "unauthenticated")
    finally:
        await asyncio.gather(blocker.close(), watcher.close())


async def test_only_a_driver_token_is_accepted(service: Service) -> None:
    """No token, a wrong one and an API key are 401; wrong parameters are named; json is no format here."""
    driver = await service.new_driver()
    for path in ("", "/track.csv", "/openings"):
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer tdt_wrong"}, {}):
            answer = await service.http.get(f"/v1/drivers/me{path}", headers=headers)
            problem(answer, 401, "unauthenticated")
    problem(await read(service, driver, "/track.json"), 404, "not-found")
    assert wrong_fields(await read(service, driver, "/track.csv", **{"from": "yesterday"})) == ["from"]
    assert wrong_fields(await read(service, driver, "/track.csv", driver_id="drv_other")) == ["driver_id"]
    assert (await read(service, driver, "/track.csv", **{"from": "2000-01-01T00:00:00Z"})).status_code == 200
    assert wrong_fields(await read(service, driver, "/track.csv", to="0001-01-01T00:00:00Z")) == ["to"]
    for _ in range(25):
        answer = await read(service, driver, "/track.csv")
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
