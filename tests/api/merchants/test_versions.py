"""Versions of orders: `ETag`, `If-Match` and `If-None-Match`."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.merchant import ORDER, fixes_from, problem, send_fixes
from tests.service import Service
from tests.waiting import until


async def test_the_etag_of_an_order_is_its_version(service: Service) -> None:
    """On every answer that is one order: the new one, a read, a change, an assignment and a status."""
    driver = await service.new_driver()
    made = await service.http.post("/v1/orders", json=ORDER | {"driver_id": driver["id"]})
    path = made.headers["Location"]
    answers = [
        made,
        await service.http.get(path),
        await service.http.patch(path, json={"reference": "etag"}),
        await service.http.post(f"{path}/assign", json={"driver_id": (await service.new_driver())["id"]}),
        await service.http.post(f"{path}/status", json={"status": "picked_up"}),
    ]
    versions = [answer.json()["version"] for answer in answers]
    assert [answer.headers["ETag"] for answer in answers] == [f'"{version}"' for version in versions]
    assert versions[0] == versions[1]
    assert versions[1:] == sorted(set(versions[1:]))


@pytest.mark.parametrize(
    "tags", ['"{old}"', 'W/"{now}"', '"{now}x"', '"x"', '"{old}", "99"', '"-{now}"', '""']
)
async def test_a_stale_version_changes_nothing(service: Service, tags: str) -> None:
    """Another version, a weak tag or none of ours is 412 for a change, an assignment and a status."""
    driver, order = await service.new_driver(), await service.new_order()
    path = f"/v1/orders/{order['id']}"
    await service.http.patch(path, json={"reference": "second"})
    before = await service.get(path)
    stale = {"If-Match": tags.format(old=order["version"], now=before["version"])}
    for method, below, body in (
        ("PATCH", "", {"reference": "third"}),
        ("POST", "/assign", {"driver_id": driver["id"]}),
        ("POST", "/status", {"status": "cancelled"}),
    ):
        answer = await service.http.request(method, path + below, json=body, headers=stale)
        problem(answer, 412, "stale-version")
    assert await service.get(path) == before


@pytest.mark.parametrize("tags", ['"{now}"', '"99", "{now}"', "*", '"{now}", W/"3"'])
async def test_the_current_version_may_be_changed(service: Service, tags: str) -> None:
    """Its tag among others, or any version."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}"
    current = {"If-Match": tags.format(now=order["version"])}
    assert (await service.http.patch(path, json={"reference": "x"}, headers=current)).status_code == 200
    current = {"If-Match": tags.format(now=order["version"] + 1)}
    answer = await service.http.post(f"{path}/status", json={"status": "cancelled"}, headers=current)
    assert answer.status_code == 200
    problem(
        await service.http.patch(path, json={"reference": "y"}, headers={"If-Match": "*"}), 409, "conflict"
    )


async def test_of_many_changes_of_one_version_one_succeeds(service: Service) -> None:
    """Eight clients read version 1 and change it at once: none overwrites what it has not seen."""
    order = await service.new_order()
    path, seen = f"/v1/orders/{order['id']}", {"If-Match": f'"{order["version"]}"'}
    answers = await asyncio.gather(
        *(service.http.patch(path, json={"reference": f"r-{n}"}, headers=seen) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    [winner] = [answer.json() for answer in answers if answer.is_success]
    after = await service.get(path)
    assert (after["reference"], after["version"]) == (winner["reference"], order["version"] + 1)


async def test_a_version_that_the_client_has_is_not_sent_again(service: Service) -> None:
    """304 without a body for the same version; 200 for another one."""
    order = await service.new_order()
    path, seen = f"/v1/orders/{order['id']}", {"If-None-Match": f'"{order["version"]}"'}
    answer = await service.http.get(path, headers=seen)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == seen["If-None-Match"]
    changed = await service.http.patch(path, json={"reference": "x"}, headers=seen)  # which is for reads
    assert changed.status_code == 200
    assert (await service.http.get(path, headers=seen)).json()["reference"] == "x"


async def test_an_order_with_a_forecast_is_always_sent(service: Service) -> None:
    """The forecast changes without a new version."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    begin = datetime.now(UTC) - timedelta(seconds=2)
    async with service.drive(driver["token"]):
        await send_fixes(service, driver["token"], *fixes_from(begin, [(60.1713, 24.944)] * 2))
        path = f"/v1/orders/{order['id']}"

        async def has_forecast() -> bool:
            return (await service.get(path))["eta"] is not None

        await until(has_forecast, 20)
        seen = {"If-None-Match": (await service.http.get(path)).headers["ETag"]}
        again = await service.http.get(path, headers=seen)
    assert again.status_code == 200
    assert again.json()["eta"] is not None
