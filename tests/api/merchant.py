"""What the tests of the merchant API share: the checks that every refusal and every page has to pass."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from tests.service import Service
from tests.waiting import until

PICKUP = {"lat": 60.1713, "lon": 24.9440}
DROPOFF = {"lat": 60.1666, "lon": 24.9486}
ORDER = {"pickup": PICKUP, "dropoff": DROPOFF}


def problem(answer: httpx.Response, status: int, word: str) -> Any:
    """The problem's members, once it is sure that it is one (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["type"]) == (status, f"/problems/{word}")
    assert said["title"]
    assert said["detail"]
    return said


def wrong_fields(answer: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    said = problem(answer, 422, "invalid-fields")
    assert all(error["detail"] for error in said["errors"])
    return [error["field"] for error in said["errors"]]


async def all_pages(service: Service, path: str, **query: Any) -> list[Any]:
    """Every item of a list, page by page."""
    items: list[Any] = []
    cursor = query.pop("cursor", None)
    while True:
        params = {**query, **({} if cursor is None else {"cursor": cursor})}
        answer = await service.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return items


async def send_fixes(service: Service, token: str, *fixes: dict[str, object]) -> None:
    """Stores a driver's fixes; returns after the commit."""
    answer = await service.http.post(
        "/v1/drivers/fixes", json=list(fixes), headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == []


async def backdate(database_url: str, order: Any, by: timedelta) -> Any:
    """The order as if it had been made and assigned so much earlier, which no call of the API can do."""
    connection = await asyncpg.connect(database_url)
    try:
        for statement in (
            "UPDATE orders SET created_at = created_at - $2::interval WHERE id = $1",
            "UPDATE orders SET assigned_at = assigned_at - $2::interval WHERE id = $1",
            "UPDATE timeline SET at = at - $2::interval WHERE order_id = $1",
            "UPDATE assignments SET begun_at = begun_at - $2::interval WHERE order_id = $1",
        ):
            await connection.execute(statement, order["id"], by)
    finally:
        await connection.close()
    times = {status: rfc3339(parse(at) - by) for status, at in order["timestamps"].items()}
    return order | {"timestamps": times, "created_at": times["created"]}


def fixes_from(begin: datetime, places: list[tuple[float, float]], **more: object) -> list[dict[str, object]]:
    """One fix a second at these (lat, lon), from `begin` on."""
    return [
        {"recorded_at": rfc3339(begin + timedelta(seconds=index)), "lat": lat, "lon": lon, **more}
        for index, (lat, lon) in enumerate(places)
    ]


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def eta_by(service: Service, order: Any, basis: str) -> Any:
    """The forecast, once it has this basis."""

    async def eta() -> Any:
        found = await service.get(f"/v1/orders/{order['id']}/eta")
        return found if found["basis"] == basis else None

    return await until(eta)
