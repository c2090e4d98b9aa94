"""What a merchant adds to an order: instructions, a contact and metadata; and who sees it."""

from typing import Any

import pytest

from tests.api.merchant import ORDER, wrong_fields
from tests.service import Service, hear, token_of

FIELDS: dict[str, Any] = {
    "instructions": "Ring twice.",
    "contact": "+358 40 7654321",
    "metadata": {"shop": "12", "läne": ""},
}
PHONE = "+358 40 1234567"


def fields_of(order: Any) -> dict[str, Any]:
    return {name: order[name] for name in FIELDS}


async def test_they_are_kept_as_given(service: Service) -> None:
    """Null, null and no pairs without them."""
    order = await service.new_order(**FIELDS)
    assert fields_of(order) == FIELDS
    assert fields_of(await service.get(f"/v1/orders/{order['id']}")) == FIELDS
    nothing: dict[str, Any] = {"instructions": None, "contact": None, "metadata": {}}
    assert fields_of(await service.new_order()) == nothing
    assert fields_of(await service.new_order(**dict.fromkeys(FIELDS))) == nothing


async def test_a_change_replaces_and_null_removes_them(service: Service) -> None:
    """Metadata is merged pair by pair (RFC 7396); other fields stay."""
    order = await service.new_order(**FIELDS)
    path = f"/v1/orders/{order['id']}"

    async def changed(**change: object) -> dict[str, Any]:
        answer = await service.http.patch(path, json=change)
        assert answer.status_code == 200, answer.text
        assert answer.json() == await service.get(path)
        return fields_of(answer.json())

    assert await changed(reference="x") == FIELDS
    merged = await changed(instructions="Knock.", metadata={"läne": None, "new": "1"})
    assert merged == FIELDS | {"instructions": "Knock.", "metadata": {"shop": "12", "new": "1"}}
    merged = await changed(contact="https://shop.example/o/1?x#y", metadata={})
    assert (merged["contact"], merged["metadata"]) == (
        "https://shop.example/o/1?x#y",
        {"shop": "12", "new": "1"},
    )
    assert await changed(instructions=None, contact=None, metadata=None) == {
        "instructions": None,
        "contact": None,
        "metadata": {},
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instructions", "x" * 501),
        ("instructions", 5),
        ("contact", "call the shop"),
        ("contact", ""),
        ("contact", "javascript:alert(1)"),
        ("contact", "https://"),
        ("contact", "https://shop.example/a b"),
        ("contact", "+358 40 1234567\n"),
        ("contact", "https://shop.example/" + "x" * 500),
        ("metadata", {f"k{n}": "" for n in range(51)}),
        ("metadata", {"": "x"}),
        ("metadata", {"k" * 101: "x"}),
        ("metadata", {"k": "x" * 501}),
        ("metadata", {"k": 1}),
        ("metadata", {"k": {"deep": "x"}}),
        ("metadata", ["k"]),
        ("metadata", {"k": "\0"}),
    ],
)
async def test_a_wrong_value_is_named(service: Service, name: str, value: object) -> None:
    """In a new order and in a change, and nothing is stored."""
    order = await service.new_order()
    made = await service.http.post("/v1/orders", json=ORDER | {name: value})
    assert all(field.startswith(name) for field in wrong_fields(made))
    changed = await service.http.patch(f"/v1/orders/{order['id']}", json={name: value})
    assert all(field.startswith(name) for field in wrong_fields(changed))
    assert await service.get(f"/v1/orders/{order['id']}") == order


@pytest.mark.parametrize(
    "contact", ["112", "(09) 123-4567", "+358 40 1234567,,12#", "http://shop.example", "https://a?b"]
)
async def test_a_contact_is_a_number_or_an_address(service: Service, contact: str) -> None:
    """As people and shops write them."""
    assert (await service.new_order(contact=contact))["contact"] == contact


async def test_changes_together_add_at_most_fifty_pairs(service: Service) -> None:
    """Fifty fit; a pair may be replaced, and one more needs another to go."""
    order = await service.new_order(metadata={f"k{n}": "x" * 500 for n in range(50)})
    path = f"/v1/orders/{order['id']}"
    assert wrong_fields(await service.http.patch(path, json={"metadata": {"new": "1"}})) == ["metadata"]
    answer = await service.http.patch(path, json={"metadata": {"k0": None, "new": "1"}})
    assert len(answer.json()["metadata"]) == 50
    assert (await service.http.patch(path, json={"metadata": {"k1": ""}})).status_code == 200


@pytest.mark.parametrize("language", ["fi", "pt-BR", "zh-Hant-TW", "de-CH-1901", "sl-rozaj-biske-1994"])
async def test_the_customers_language_is_kept_until_it_is_erased(service: Service, language: str) -> None:
    """Any tag of BCP 47, as it was given; PATCH changes it, and the erasure takes it."""
    order = await service.new_order(customer={"language": language})
    path = f"/v1/orders/{order['id']}"
    assert (await service.get(path))["customer"]["language"] == language
    changed = await service.http.patch(path, json={"customer": {"language": "sv"}})
    assert changed.json()["customer"]["language"] == "sv"
    await service.post(f"{path}/status", {"status": "cancelled"})
    assert (await service.http.delete(f"{path}/customer")).is_success
    assert (await service.get(path))["customer"] is None


async def test_the_driver_gets_the_contact_instead_of_the_customers_phone(service: Service) -> None:
    """In `welcome`, and at once in `orders` when they change; without a contact the phone again."""
    driver = await service.new_driver()
    customer = {"name": "Aino", "phone": PHONE, "email": "aino@example.com"}
    order = await service.new_order(driver["id"], customer=customer, **FIELDS)
    path = f"/v1/orders/{order['id']}"

    def seen(message: Any) -> tuple[Any, ...]:
        [one] = message["orders"]
        return one["instructions"], one["contact"], one["customer"]["phone"]

    async with service.drive(driver["token"]) as courier:
        welcome = await hear(courier, "welcome")
        assert seen(welcome) == (FIELDS["instructions"], FIELDS["contact"], None)
        assert PHONE not in str(welcome)
        await service.http.patch(path, json={"instructions": "Knock."})
        assert seen(await hear(courier, "orders")) == ("Knock.", FIELDS["contact"], None)
        await service.http.patch(path, json={"contact": None})
        assert seen(await hear(courier, "orders")) == ("Knock.", None, PHONE)


async def test_the_customer_sees_none_of_them(service: Service) -> None:
    """Neither in the snapshot nor on the page."""
    order = await service.new_order(
        instructions="kanaria-1", contact="112 112 112", metadata={"k": "kanaria-2"}
    )
    for path in (f"/v1/track/{token_of(order)}", f"/t/{token_of(order)}"):
        text = (await service.http.get(path, headers={"Authorization": ""})).text
        assert "kanaria" not in text
        assert "112 112 112" not in text
