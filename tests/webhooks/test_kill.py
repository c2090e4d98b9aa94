"""The service is killed in a burst of changes: no event is lost or doubled in the list, none is unsent."""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests import hasty_node
from tests.api.merchant import ORDER
from tests.receiver import Receiver
from tests.service import Service, running_service
from tests.waiting import until

ORDERS = 60
KILLED_AFTER = 40  # events that the receiver has


async def change(service: Service, answered: list[tuple[str, str]]) -> None:
    """Create and cancel orders, and note what was answered, until the service is gone."""
    with suppress(httpx.TransportError):
        for _ in range(ORDERS):
            order = (await service.http.post("/v1/orders", json=ORDER)).json()
            answered.append((order["id"], "order.created"))
            await service.http.post(f"/v1/orders/{order['id']}/status", json={"status": "cancelled"})
            answered.append((order["id"], "order.cancelled"))


async def all_events(service: Service) -> list[Any]:
    events: list[Any] = []
    page = await service.get("/v1/events?limit=100")
    while page["items"]:
        events += page["items"]
        page = await service.get(f"/v1/events?limit=100&after={page['next']}")
    return events


async def test_no_event_is_lost_with_a_killed_service(database_url: str, data_dir: Path) -> None:
    """-9 in a burst: each change is listed exactly once and arrives at least once, in sequence."""
    settings = {"program": hasty_node.PROGRAM, "TRACKER_WEBHOOKS_PRIVATE": "on"}
    answered: list[tuple[str, str]] = []
    async with Receiver.open() as receiver:
        async with running_service(data_dir, database_url, **settings) as service:  # type: ignore[arg-type]
            await service.post("/v1/webhooks", {"url": receiver.url})
            burst = asyncio.gather(*(change(service, answered) for _ in range(4)))
            await until(lambda: len(receiver.received) >= KILLED_AFTER)
            service.process.kill()
            await service.process.wait()
            await burst
        async with running_service(data_dir, database_url, **settings) as service:  # type: ignore[arg-type]
            events = await all_events(service)
            ids = {event["id"] for event in events}
            await until(lambda: ids <= {one.event["id"] for one in receiver.received})
    changes = Counter((event["data"]["order"]["id"], event["type"]) for event in events)
    assert set(changes.values()) == {1}
    assert set(answered) <= set(changes)
    assert len(ids) == len(events)
    first: dict[str, list[str]] = {}
    for one in receiver.received:
        if one.order_id is not None and one.event["type"] not in first.setdefault(one.order_id, []):
            first[one.order_id].append(one.event["type"])
    assert all(kinds == ["order.created", "order.cancelled"][: len(kinds)] for kinds in first.values())
