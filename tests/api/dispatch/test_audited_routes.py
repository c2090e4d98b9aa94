"""Every route that changes something with an API key leaves an entry in the audit."""

from datetime import UTC, datetime
from typing import Final

import pytest

from tests.api.merchant import DROPOFF, ORDER, all_pages
from tests.service import Service
from tests.waiting import until

NOT_CHANGES: Final = {
    "find_route",  # the same
    "locate_addresses",  # the same
    "post_traccar",  # positions, and so many of them that they would hide everything else
}
HOOK: Final = {"url": "https://shop.example/hook", "events": ["driver.device"]}
ACTS: Final[dict[str, tuple[str, object]]] = {
    # name of the operation: its path after /v1, with the things of `things`; its body
    "put_brand": ("brand", {}),
    "create_driver": ("drivers", {"name": "Aino", "vehicle": "foot"}),
    "change_driver": ("drivers/{driver}", {"vehicle": "bicycle"}),
    "erase_driver": ("drivers/{leaver}", None),
    "change_duty": ("drivers/{driver}/duty", {"on": True}),
    "create_pairing_code": ("drivers/{driver}/pairing", None),
    "put_stops": ("drivers/{driver}/stops", {"stops": []}),
    "optimize_stops": ("drivers/{driver}/stops/optimize", None),
    "renew_token": ("drivers/{driver}/token", None),
    "create_order": ("orders", ORDER),
    "create_orders": ("orders/bulk", {"orders": [ORDER]}),
    "patch_order": ("orders/{order}", {"dropoff": DROPOFF}),
    "assign_order": ("orders/{order}/assign", {"driver_id": "{driver}"}),
    "set_order_status": ("orders/{assigned}/status", {"status": "picked_up"}),
    "start_attempt": ("orders/{failed}/attempts", {}),
    "erase_customer": ("orders/{cancelled}/customer", None),
    "create_link": ("orders/{order}/links", {}),
    "revoke_link": ("orders/{order}/links/{link}", None),
    "create_webhook": ("webhooks", HOOK),
    "patch_webhook": ("webhooks/{webhook}", {"enabled": True}),
    "delete_webhook": ("webhooks/{unwanted}", None),
    "redeliver": ("webhooks/{webhook}/redeliver", {}),
    "renew_secret": ("webhooks/{webhook}/secret", {}),
    "send_test_event": ("webhooks/{webhook}/test", None),
}


@pytest.fixture(scope="module")
async def changes(service: Service) -> dict[str, tuple[str, str]]:
    """Method and path of each operation that takes an API key and changes something, by its name."""
    whole = await service.get("/openapi.json")
    return {
        operation["operationId"]: (method, path)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
        if method != "get" and {"api_key": []} in operation.get("security", [])
    }


@pytest.fixture(scope="module")
async def things(service: Service) -> dict[str, str]:
    """Ids of what the acts need, by name; no act needs what another one does."""
    driver, other, leaver = [await service.new_driver() for _ in range(3)]
    order = await service.new_order()
    assigned, failed, cancelled = [await service.new_order(other["id"]) for _ in range(3)]
    for one, status in ((failed, "failed"), (cancelled, "cancelled")):
        await service.post(f"/v1/orders/{one['id']}/status", {"status": status})
    link = await service.post(f"/v1/orders/{order['id']}/links", {})
    webhook, unwanted = [await service.post("/v1/webhooks", HOOK) for _ in range(2)]
    found = {
        "driver": driver,
        "leaver": leaver,
        "order": order,
        "assigned": assigned,
        "failed": failed,
        "cancelled": cancelled,
        "link": link,
        "webhook": webhook,
        "unwanted": unwanted,
    }
    return {name: thing["id"] for name, thing in found.items()}


async def test_every_changing_route_is_known_here(changes: dict[str, tuple[str, str]]) -> None:
    """A new one must be added to ACTS, or to NOT_CHANGES with the reason."""
    assert changes.keys() == ACTS.keys() | NOT_CHANGES


@pytest.mark.parametrize("name", ACTS)
async def test_a_change_is_in_the_audit(
    service: Service, changes: dict[str, tuple[str, str]], things: dict[str, str], name: str
) -> None:
    """Under the name of its operation, with the ids in its path, except for those of an erased driver."""
    path, body = ACTS[name]
    if isinstance(body, dict):
        body = {
            key: value.format(**things) if isinstance(value, str) else value for key, value in body.items()
        }
    method, template = changes[name]
    assert template.count("/") == f"/v1/{path}".count("/")
    started = datetime.now(UTC).isoformat()
    answer = await service.http.request(method, f"/v1/{path.format(**things)}", json=body)
    assert answer.is_success, answer.text
    named = {part[1:-1] for part in path.split("/") if part.startswith("{")} - {"leaver"}
    subjects = {things[each] for each in named}

    async def is_told() -> bool:
        newest = await all_pages(service, "/v1/audit", kind="change", **{"from": started})
        return any(one["action"] == name and subjects <= {*one["subjects"]} for one in newest)

    await until(is_told, 10)
