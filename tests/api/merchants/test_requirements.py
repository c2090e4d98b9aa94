"""What a driver has to prove at the stops of an order: what merchants may ask for, and who reads it."""

from typing import Any

import pytest

from tests.api.merchant import ORDER, wrong_fields
from tests.service import Service, hear, token_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUIRED: dict[str, Any] = {
    "pickup": {"photo": True, "barcode": "JD014600003SE"},
    "dropoff": {"photo": True, "signature": True, "pin": True, "barcode": "parcel 7"},
}


async def test_they_are_kept_as_given(service: Service) -> None:
    """One by one and in bulk; what is false or null is as good as absent."""
    assert (await service.new_order(requirements=REQUIRED))["requirements"] == REQUIRED
    bulk = await service.post("/v1/orders/bulk", {"orders": [ORDER | {"requirements": REQUIRED}]})
    assert bulk["items"][0]["order"]["requirements"] == REQUIRED
    for nothing in (None, {}, {"pickup": {"photo": False, "barcode": None}, "dropoff": None}):
        assert (await service.new_order(requirements=nothing))["requirements"] == {}


async def test_a_change_replaces_them_all(service: Service) -> None:
    """Null removes them; a change of something else leaves them."""
    order = await service.new_order(requirements=REQUIRED)
    path = f"/v1/orders/{order['id']}"

    async def after(**change: object) -> Any:
        answer = await service.http.patch(path, json=change)
        assert answer.status_code == 200, answer.text
        return answer.json()["requirements"]

    assert await after(reference="x") == REQUIRED
    assert await after(requirements={"dropoff": {"pin": True}}) == {"dropoff": {"pin": True}}
    assert await after(requirements=None) == {}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"dropoff": {"photo": "yes"}}, "requirements.dropoff.photo"),
        ({"dropoff": {"photo": None}}, "requirements.dropoff.photo"),
        ({"dropoff": {"selfie": True}}, "requirements.dropoff.selfie"),
        ({"pickup": {"pin": True}}, "requirements.pickup.pin"),
        ({"dropoff": {"barcode": ""}}, "requirements.dropoff.barcode"),
        ({"dropoff": {"barcode": "x" * 101}}, "requirements.dropoff.barcode"),
        ({"dropoff": {"barcode": True}}, "requirements.dropoff.barcode"),
        ({"dropoff": {"barcode": "a\0b"}}, "requirements.dropoff.barcode"),
        ({"door": {}}, "requirements.door"),
        (["photo"], "requirements"),
    ],
)
async def test_a_wrong_one_is_named(service: Service, wrong: object, field: str) -> None:
    """In a new order and in a change."""
    order = await service.new_order()
    made = await service.http.post("/v1/orders", json=ORDER | {"requirements": wrong})
    changed = await service.http.patch(f"/v1/orders/{order['id']}", json={"requirements": wrong})
    assert wrong_fields(made) == wrong_fields(changed) == [field]


async def test_the_driver_reads_what_is_required_but_not_the_barcode(service: Service) -> None:
    """In `welcome`, and at once in `orders` when it changes. Customers read nothing of it."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], requirements=REQUIRED)
    async with service.drive(driver["token"]) as courier:
        welcome = await hear(courier, "welcome")
        assert welcome["orders"][0]["requirements"] == {
            "pickup": {"photo": True, "barcode": True},
            "dropoff": {"photo": True, "signature": True, "pin": True, "barcode": True},
        }
        change = {"requirements": {"dropoff": {"barcode": "parcel 8"}}}
        await service.http.patch(f"/v1/orders/{order['id']}", json=change)
        orders = await hear(courier, "orders")
        assert orders["orders"][0]["requirements"] == {"dropoff": {"barcode": True}}
    told = (await service.http.get(f"/v1/track/{token_of(order)}")).text
    for barcode in ("JD014600003SE", "parcel 7", "parcel 8"):
        assert barcode not in f"{welcome} {orders} {told}"
