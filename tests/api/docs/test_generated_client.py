"""A client that openapi-python-client generates from the description carries an order to its customer."""

import asyncio
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any, Final

import pytest

from tests.service import ADMIN_KEY, Service

PACKAGE: Final = "generated_tracker_client"
WITHIN: Final = 60.0  # seconds for generating
PICKUP: Final = {"lat": 60.1713, "lon": 24.944, "address": "Rautatientori"}
DROPOFF: Final = {"lat": 60.1666, "lon": 24.9486, "address": "Kasarmikatu 36"}


class Client:
    """The generated package: its models, and its calls by tag and operation."""

    def __init__(self, url: str) -> None:
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self._package = importlib.import_module(PACKAGE)
        self._url = url
        self._made: list[Any] = []
        self.as_merchant = self.with_token(ADMIN_KEY)

    def with_token(self, token: str) -> Any:
        self._made.append(self._package.AuthenticatedClient(base_url=self._url, token=token))
        return self._made[-1]

    async def close(self) -> None:
        for client in self._made:
            await client.get_async_httpx_client().aclose()

    async def call(self, operation: str, *ids: str, client: Any = None, **more: Any) -> Any:
        """Return the whole answer of `orders.create_order` and the like."""
        module: ModuleType = importlib.import_module(f"{PACKAGE}.api.{operation}")
        return await module.asyncio_detailed(*ids, client=client or self.as_merchant, **more)

    async def get(self, operation: str, *ids: str, **more: Any) -> Any:
        """Return what a successful answer holds."""
        answer = await self.call(operation, *ids, **more)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    def model(self, name: str, value: dict[str, Any]) -> Any:
        return getattr(self.models, name).from_dict(value)


@pytest.fixture(scope="module")
async def client(service: Service, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Generated once from what the service serves, without a warning; no network."""
    folder = tmp_path_factory.mktemp("generated")
    description, config = folder / "openapi.json", folder / "config.yml"
    description.write_bytes((await service.http.get("/openapi.json")).content)
    config.write_text("post_hooks: []\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--path", str(description)),
        *("--output-path", str(folder / PACKAGE), "--meta", "none", "--config", str(config)),
        "--fail-on-warning",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN):
        told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told
    sys.path.insert(0, str(folder))
    made = Client(service.url)
    try:
        yield made
    finally:
        await made.close()
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
            del sys.modules[name]


async def test_a_generated_client_carries_an_order(client: Client) -> None:
    """From the driver's creation to the history of the delivered order, every answer in its model."""
    models = client.models
    new_driver = client.model("NewDriver", {"name": "Aino Korhonen", "vehicle": "bicycle"})
    driver = await client.get("drivers.create_driver", body=new_driver)
    assert isinstance(driver, models.DriverWithToken)

    reference = token_hex(8)  # the service is shared with other tests
    body = client.model("NewOrder", {"pickup": PICKUP, "dropoff": DROPOFF, "reference": reference})
    order = await client.get("orders.create_order", body=body, idempotency_key=reference)
    assert isinstance(order, models.Order)
    assert order.status is models.OrderStatus.CREATED
    again = await client.get("orders.create_order", body=body, idempotency_key=reference)
    assert again.id == order.id

    assignment = client.model("Assignment", {"driver_id": driver.id})
    assigned = await client.get("orders.assign_order", order.id, body=assignment)
    assert (assigned.status, assigned.driver_id) == (models.OrderStatus.ASSIGNED, driver.id)
    assert assigned.pickup.time_zone == "Europe/Helsinki"

    fix = {
        "recorded_at": datetime.now(UTC).isoformat(),
        "lat": PICKUP["lat"],
        "lon": PICKUP["lon"],
        "accuracy": 5,
    }
    message = client.model("Fixes", {"type": "fixes", "id": 1, "fixes": [fix]})
    ack = await client.get("drivers.post_fixes", client=client.with_token(driver.token), body=message)
    assert (ack.id, ack.stored, ack.rejected) == (1, 1, [])
    seen = await client.get("drivers.get_driver", driver.id)
    assert seen.last_fix.lat == PICKUP["lat"]
    assert datetime.now(UTC) - seen.last_fix.received_at < timedelta(minutes=5)

    for status in ("picked_up", "delivered"):
        order = await client.get(
            "orders.set_order_status", order.id, body=client.model("StatusChange", {"status": status})
        )
        assert order.status.value == status
    history = await client.get("orders.get_history", order.id)
    kinds = [entry.kind.value for entry in history.timeline]
    assert [kind for kind in kinds if not kind.startswith(("arrived", "departed"))] == [
        "created",
        "assigned",
        "picked_up",
        "delivered",
    ]
    assert history.summary.fixes == 1
    page = await client.get("orders.list_orders", reference=reference, limit=10)
    assert [row.id for row in page.items] == [order.id]


async def test_a_generated_client_shows_a_customer_the_order(client: Client) -> None:
    """Links are made, listed and revoked; the token alone opens the snapshot."""
    models = client.models
    body = client.model("NewOrder", {"pickup": PICKUP, "dropoff": DROPOFF})
    order = await client.get("orders.create_order", body=body)
    link = await client.get("orders.create_link", order.id, body=models.NewLink())
    assert isinstance(link, models.Link)
    token = link.url.rsplit("/", 1)[1]
    snapshot = await client.get("tracking.one_snapshot", token)
    assert snapshot.order.status is models.OrderStatus.CREATED
    links = await client.get("orders.list_links", order.id)
    assert {each.id for each in links.items} >= {link.id}
    assert (await client.call("orders.revoke_link", order.id, link.id)).status_code == 204
    gone = await client.call("tracking.one_snapshot", token)
    assert isinstance(gone.parsed, models.Problem)
    assert gone.parsed.status == 404


async def test_a_generated_client_reads_every_refusal_as_a_problem(client: Client) -> None:
    """401, 404, 409 with what is allowed, and 422 with the wrong fields."""
    models = client.models
    unknown = await client.call("orders.get_order", "ord_unknown", client=client.with_token("no-key-of-ours"))
    assert (unknown.parsed.status, unknown.parsed.type_) == (401, "/problems/unauthenticated")
    missing = await client.call("orders.get_order", "ord_unknown")
    assert isinstance(missing.parsed, models.Problem)
    assert missing.parsed.status == 404

    wrong = client.model("NewOrder", {"pickup": PICKUP | {"lat": 91.0}, "dropoff": DROPOFF})
    refused = await client.call("orders.create_order", body=wrong)
    assert refused.parsed.status == 422
    assert [(error.field, error.detail) for error in refused.parsed.errors] == [
        ("pickup.lat", "must be a number from -90 to 90, or null")
    ]

    order = await client.get(
        "orders.create_order", body=client.model("NewOrder", {"pickup": PICKUP, "dropoff": DROPOFF})
    )
    too_early = client.model("StatusChange", {"status": "delivered"})
    conflict = await client.call("orders.set_order_status", order.id, body=too_early)
    assert conflict.parsed.status == 409
    assert set(conflict.parsed.allowed) == {models.OrderStatus.ASSIGNED, models.OrderStatus.CANCELLED}
