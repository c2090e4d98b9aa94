"""`/v1/orders/…/links`: made, shown again, revoked."""

from datetime import UTC, datetime, timedelta

from tests.api.merchant import problem, rfc3339, wrong_fields
from tests.service import Service, token_of


async def test_a_link_can_be_made_and_shown_again(service: Service) -> None:
    """Its address is derived, not stored, and is the same each time; a live view that opens is counted."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}/links"
    until = rfc3339(datetime.now(UTC) + timedelta(hours=1))
    made = await service.http.post(path, json={"expires_at": until})
    assert made.status_code == 201
    link = made.json()
    assert (link["expires_at"], link["revoked_at"], link["opened"], link["last_opened_at"]) == (
        *(until, None, 0),
        None,
    )
    token = link["url"].rsplit("/", 1)[1]
    live = f"/v1/track/{token}/poll"
    assert (await service.http.get(live, headers={"Authorization": ""})).status_code == 200
    first, second = (await service.get(path))["items"]
    assert first["url"] == order["tracking_url"]
    assert (second["url"], second["opened"]) == (link["url"], 1)
    assert second["last_opened_at"] is not None


async def test_a_revoked_link_opens_nothing(service: Service) -> None:
    """Revoking it twice is no mistake; the order's address moves on to the next live link, or is null."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}/links"
    [first] = (await service.get(path))["items"]
    second = await service.post(path, {})
    for _ in range(2):
        assert (await service.http.delete(f"{path}/{first['id']}")).status_code == 204
    problem(await service.http.get(f"/v1/track/{token_of(order)}"), 404, "not-found")
    assert (await service.get(f"/v1/orders/{order['id']}"))["tracking_url"] == second["url"]
    assert (await service.http.delete(f"{path}/{second['id']}")).status_code == 204
    assert (await service.get(f"/v1/orders/{order['id']}"))["tracking_url"] is None
    kinds = [entry["kind"] for entry in (await service.get(f"/v1/orders/{order['id']}/history"))["timeline"]]
    assert kinds == ["created", "link_created", "link_revoked", "link_revoked"]


async def test_a_link_of_another_order_is_missing(service: Service) -> None:
    """Nobody revokes it by way of a wrong order."""
    order, other = await service.new_order(), await service.new_order()
    [link] = (await service.get(f"/v1/orders/{other['id']}/links"))["items"]
    problem(await service.http.delete(f"/v1/orders/{order['id']}/links/{link['id']}"), 404, "not-found")
    assert (await service.http.get(f"/v1/track/{token_of(other)}")).status_code == 200


async def test_a_link_needs_an_end_that_lies_ahead(service: Service) -> None:
    """An end in the past, without an offset or of the wrong type is named; no body at all is no end."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}/links"
    for wrong in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00", 5):
        assert wrong_fields(await service.http.post(path, json={"expires_at": wrong})) == ["expires_at"]
    assert (await service.http.post(path)).json()["expires_at"] is None


async def test_a_link_is_made_once_for_one_key(service: Service) -> None:
    """The same answer again, and one link more."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}/links"
    key = {"Idempotency-Key": f"link-{order['id']}"}
    first, again = [await service.http.post(path, json={}, headers=key) for _ in range(2)]
    assert first.content == again.content
    assert len((await service.get(path))["items"]) == 2
