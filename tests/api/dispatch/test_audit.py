"""`GET /v1/audit`: who changed or looked up what, by the name of the key, and nothing of a person."""

from typing import Any

import asyncpg

from tests.api.merchant import ORDER, all_pages, problem
from tests.api.test_auth import key_with
from tests.service import Service
from tests.waiting import until

CANARY = "Zacharias Auditcanary"


async def entries(service: Service, subject: str) -> list[tuple[str, str, str]]:
    """Key, kind and action of each entry about a subject, oldest first."""
    found = await all_pages(service, "/v1/audit", subject=subject, limit=2)
    return [(one["name"], one["kind"], one["action"]) for one in reversed(found)]


async def test_changes_and_lookups_are_told_by_the_name_of_the_key(
    service: Service, service_database: str
) -> None:
    """A repeated lookup counts once, and so does a repeated creation; what was refused does not count."""
    headers = {"Authorization": f"Bearer {await key_with(service_database, 'orders')}"}
    once = {"Idempotency-Key": "audited-once", **headers}
    body = {**ORDER, "customer": {"name": CANARY}}
    for _ in range(2):
        order = (await service.http.post("/v1/orders", json=body, headers=once)).json()
    path = f"/v1/orders/{order['id']}"
    for _ in range(3):
        assert (await service.http.get(path, headers=headers)).status_code == 200
    refused = await service.http.post(f"{path}/assign", json={"driver_id": "drv_none"}, headers=headers)
    assert refused.is_client_error
    changed = {"status": "cancelled"}
    assert (await service.http.post(f"{path}/status", json=changed, headers=headers)).is_success
    assert (await service.http.get(f"{path}/history")).is_success
    wanted = [
        ("orders", "change", "create_order"),
        ("orders", "change", "set_order_status"),
        ("TRACKER_ADMIN_KEY", "lookup", "get_history"),
        ("orders", "lookup", "get_order"),
    ]

    async def is_told() -> bool:
        return sorted(await entries(service, order["id"])) == sorted(wanted)

    await until(is_told, 10)
    whole = await service.http.get("/v1/audit")
    assert CANARY not in whole.text
    lookups = await service.get(f"/v1/audit?subject={order['id']}&kind=lookup")
    assert {one["kind"] for one in lookups["items"]} == {"lookup"}
    problem(await service.http.get("/v1/audit", headers=headers), 403, "forbidden")
    for wrong in ("x", "-1", "9" * 30, "١"):
        problem(await service.http.get("/v1/audit", params={"cursor": wrong}), 422, "invalid-fields")


async def test_a_change_and_its_entry_are_one_transaction(service: Service, service_database: str) -> None:
    """Neither is there without the other: here the audit cannot be written."""
    order = await service.new_order()
    connection = await asyncpg.connect(service_database)
    forbid = "ALTER TABLE audit ADD CONSTRAINT none CHECK (action <> 'set_order_status') NOT VALID"
    await connection.execute(forbid)
    try:
        answer = await service.http.post(f"/v1/orders/{order['id']}/status", json={"status": "cancelled"})
        assert answer.is_server_error
    finally:
        await connection.execute("ALTER TABLE audit DROP CONSTRAINT none")
        await connection.close()
    kept: Any = await service.get(f"/v1/orders/{order['id']}")
    assert kept["status"] == "created"
