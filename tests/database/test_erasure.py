"""Personal data that is erased: no table and no answer holds it afterwards; what is no person's stays."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from tests.api.merchant import problem, send_fixes
from tests.service import Service, hear, running_service, say, token_of
from tests.waiting import until
from tracker.database import Database
from tracker.database.customers import ERASED_AT_ONCE, erase_expired_customers

CANARY = "kanarialintu"
MERCHANT = "rautalanka"  # words that are nobody's personal data
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def holders(database_url: str, word: str) -> list[str]:
    """The tables, all there are, with a row that holds the word in any column, as text or in bytes."""
    database = await asyncpg.connect(database_url)
    tables = await database.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    held = "SELECT EXISTS (SELECT FROM {} AS t WHERE t::text ILIKE $1 OR t::text ILIKE $2)"
    words = f"%{word}%", f"%{word.encode().hex()}%"
    found = [row["name"] for row in tables if await database.fetchval(held.format(row["name"]), *words)]
    await database.close()
    return found


async def delivered(service: Service, driver: Any, canary: str) -> Any:
    """An order that went all the way, with the canary wherever a customer's data may stand."""
    place = {"lat": 60.1666, "lon": 24.9486, "address": f"{canary} 1"}
    order = await service.post(
        "/v1/orders",
        {
            "driver_id": driver["id"],
            "pickup": place | {"lat": 60.1713, "lon": 24.9440},
            "dropoff": place,
            "customer": {"name": canary, "phone": f"+{canary}", "email": f"{canary}@example.com"},
            "instructions": f"Ask for {canary}",
            "contact": f"https://example.com/{canary}",
        },
        **{"Idempotency-Key": canary[::-1]},
    )
    agent = {"User-Agent": "Firefox"}
    track = f"/v1/track/{token_of(order)}"
    assert (await service.http.get(f"{track}/poll?wait_s=0", headers=agent)).status_code == 200
    await service.post(f"{track}/messages", {"text": f"{canary} lives at the back"})
    at = datetime.now(UTC).isoformat()
    await send_fixes(service, driver["token"], {"recorded_at": at, "lat": 60.17, "lon": 24.944})
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="message", id=1, order_id=order["id"], text=f"Hello {canary}")
        await hear(courier, "ack")
        await say(courier, type="status", id=2, order_id=order["id"], status="picked_up")
        await hear(courier, "ack")
        reason = f"{canary} was away"
        await say(courier, type="status", id=3, order_id=order["id"], status="failed", reason=reason)
        await hear(courier, "ack")
    return await service.get(f"/v1/orders/{order['id']}")


async def test_a_customer_is_erased_from_everywhere(service: Service, service_database: str) -> None:
    """Answers, caches that were warm, and every table; coordinates, times and statuses stay."""
    driver = await service.new_driver()
    order = await delivered(service, driver, CANARY)
    path, track = f"/v1/orders/{order['id']}", f"/v1/track/{token_of(order)}"
    before = await service.get(track)
    assert before["order"]["dropoff"]["address"] == f"{CANARY} 1"
    assert {"orders", "timeline", "idempotency"} <= set(await holders(service_database, CANARY))
    assert (await service.http.delete(f"{path}/customer")).status_code == 204
    assert await holders(service_database, CANARY) == []
    assert await holders(service_database, CANARY[::-1]) == []
    after, history = await service.get(path), await service.get(f"{path}/history")
    assert (after["customer"], after["pickup"]["address"], after["dropoff"]["address"]) == (None, None, None)
    assert (after["instructions"], after["contact"]) == (None, None)
    assert after["version"] == order["version"] + 1
    for field in ("status", "timestamps", "reference", "driver_id", "created_at", "tracking_url"):
        assert after[field] == order[field], field
    assert (after["dropoff"]["lat"], after["dropoff"]["lon"]) == (60.1666, 24.9486)
    assert history["order"] == after
    kinds = [entry["kind"] for entry in history["timeline"]]
    assert kinds == ["created", "assigned", "message", "message", "picked_up", "failed"]
    assert all({"text", "reason"}.isdisjoint(entry) for entry in history["timeline"])
    snapshot = await service.get(track)
    assert snapshot["order"]["dropoff"]["address"] is None
    assert snapshot["order"]["status"] == "failed"
    told = [await service.http.get(f"{track}/poll"), await service.http.get(f"/t/{token_of(order)}")]
    told += [await service.http.get(f"{path}/links"), await service.http.get("/v1/orders?limit=500")]
    assert not [answer.url for answer in told if CANARY in answer.text or not answer.is_success]
    [link] = (await service.get(f"{path}/links"))["items"]
    opens = (await service.get(f"{path}/links/{link['id']}/opens"))["items"]
    assert (link["opened"], [(one["address"], one["agent"]) for one in opens]) == (2, [(None, None)])
    assert (await service.http.delete(f"{path}/customer")).status_code == 204
    assert (await service.get(path))["version"] == after["version"]


async def test_an_open_order_needs_its_customer(service: Service) -> None:
    """409 with what to do, in each open status; and nothing is erased. Unknown orders are 404."""
    driver = await service.new_driver()
    order = await service.new_order(customer={"name": "Aino"})
    path = f"/v1/orders/{order['id']}"
    for step in (None, ("assign", {"driver_id": driver["id"]}), ("status", {"status": "picked_up"})):
        if step is not None:
            await service.post(f"{path}/{step[0]}", step[1])
        refusal = problem(await service.http.delete(f"{path}/customer"), 409, "conflict")
        assert "delivered, failed or cancelled" in refusal["detail"]
    assert (await service.get(path))["customer"]["name"] == "Aino"
    problem(await service.http.delete("/v1/orders/ord_none/customer"), 404, "not-found")
    await service.post(f"{path}/status", {"status": "cancelled"})
    assert (await service.http.delete(f"{path}/customer")).status_code == 204


async def test_a_drivers_words_go_with_the_driver(service: Service, service_database: str) -> None:
    """Names, reference, notes and reasons; not what the merchant wrote. Nobody who comes back reads them."""
    driver = await service.post(
        "/v1/drivers",
        {
            "name": f"{CANARY} Katoava",
            "display_name": f"{CANARY}!",
            "vehicle": "car",
            "reference": f"{CANARY}-1",
        },
        **{"Idempotency-Key": f"driver-{driver_key()}"},
    )
    failed, going, merchants = [await service.new_order(driver["id"]) for _ in range(3)]
    await service.post(
        f"/v1/orders/{merchants['id']}/status", {"status": "cancelled", "reason": f"{MERCHANT} sold out"}
    )
    async with service.watch(going) as customer, service.drive(driver["token"]) as courier:
        cursor = (await hear(customer, "snapshot"))["cursor"]
        await say(courier, type="message", id=1, order_id=going["id"], text=f"{CANARY} is coming")
        assert CANARY in (await hear(customer, "message"))["text"]
        for n, status in enumerate(("picked_up", "failed")):
            reason = f"{CANARY} says {status}"
            await say(courier, type="status", id=n, order_id=failed["id"], status=status, reason=reason)
            await hear(courier, "ack")
    assert {"drivers", "timeline", "idempotency"} <= set(await holders(service_database, CANARY))
    assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    assert await holders(service_database, CANARY) == []
    assert await holders(service_database, driver["id"]) == []
    assert await holders(service_database, MERCHANT) == ["timeline"]
    missed = await service.http.get(f"/v1/track/{token_of(going)}/poll?wait_s=0&cursor={cursor}")
    assert missed.status_code == 200
    assert CANARY not in missed.text
    history = await service.get(f"/v1/orders/{failed['id']}/history")
    assert [entry["kind"] for entry in history["timeline"]][-2:] == ["picked_up", "failed"]


def driver_key() -> str:
    return datetime.now(UTC).isoformat()


async def add_order(database: Any, n: str, closed_at: datetime | None) -> None:
    """An order with a customer's data that is over since then, or open."""
    status = "created" if closed_at is None else "delivered"
    await database.execute(
        "INSERT INTO orders (id, status, created_at, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, "
        "dropoff_address, customer, delivered_at, closed_at) "
        "VALUES ($1, $2, now() - interval '1 year', 60, 25, 60.1, 25.1, $3, $4, $5, $5)",
        *(n, status, f"{CANARY} {n}", '{"name": "' + CANARY + '"}', closed_at),
    )
    await database.execute(
        "INSERT INTO timeline (order_id, at, kind, detail) VALUES ($1, now(), 'message', $2)",
        n,
        '{"from": "customer", "text": "' + CANARY + '"}',
    )


FACTS = {
    *(
        "id",
        "reference",
        "status",
        "created_at",
        "driver_id",
        "version",
        "window_from",
        "window_to",
        "visibility",
        "metadata",  # the merchant's own; the documentation says that no personal data belongs there
    ),
    *("pickup_lat", "pickup_lon", "pickup_service_s", "pickup_ready_at"),
    *("dropoff_lat", "dropoff_lon", "dropoff_service_s", "pickup_precision", "dropoff_precision"),
    *("assigned_at", "picked_up_at", "delivered_at", "failed_at", "cancelled_at", "closed_at"),
    *("attempt", "attempt_at"),
    "arrived_at",
    *("customer_erased_at", "stuck_at", "pins_refused_until"),
    "requirements",  # a barcode is the merchant's
    "given_dropoff",
    "rating",  # without its text
}
PERSONAL = {
    "customer",
    "pickup_address",
    "dropoff_address",
    "instructions",
    "customer_instructions",
    "contact",
    "proofs",
    "pin",
    "wrong_pins",
}


async def test_every_column_of_an_order_is_a_fact_or_is_erased(database: Database) -> None:
    """A column that is added has to be put into one of the two: what people write must not stay for ever."""
    await database.pool.execute(
        "INSERT INTO orders (id, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, pickup_address, "
        "dropoff_address, customer, instructions, customer_instructions, contact, proofs, pin, wrong_pins, "
        "rating, closed_at) "
        "VALUES ('ord_1', 'failed', 1, 2, 3, 4, 'a', 'b', '{}', 'c', 'd', 'e', '[1]', '4711', '{1}', "
        """'{"stars": 4, "text": "f"}', $1)""",
        NOW - timedelta(days=1),
    )
    assert await erase_expired_customers(database, NOW, NOW) == 1
    row = dict((await database.pool.fetch("SELECT * FROM orders"))[0])
    assert set(row) - FACTS == PERSONAL
    assert row["rating"] == {"stars": 4}
    assert {name: row[name] for name in PERSONAL if row[name] not in (None, "[]", [])} == {}


async def test_customers_data_expires(data_dir: Path, database_url: str) -> None:
    """What ended longer ago than TRACKER_CUSTOMER_RETENTION_DAYS is erased, and nothing else."""
    database = await asyncpg.connect(database_url)
    now = datetime.now(UTC)
    ages = {
        "ord_old": timedelta(days=1, minutes=1),
        "ord_older": timedelta(days=400),
        "ord_young": timedelta(hours=23),
    }
    for n, age in ages.items():
        await add_order(database, n, now - age)
    await add_order(database, "ord_open", None)
    held = "SELECT id FROM orders WHERE customer IS NOT NULL OR dropoff_address IS NOT NULL ORDER BY id"
    async with running_service(data_dir, database_url, TRACKER_CUSTOMER_RETENTION_DAYS="1") as node:

        async def is_erased() -> bool:
            return len(await database.fetch(held)) <= 2

        await until(is_erased, 20)
        assert [row["id"] for row in await database.fetch(held)] == ["ord_open", "ord_young"]
        old = await node.get("/v1/orders/ord_old/history")
        assert CANARY not in str(old)
        assert (old["order"]["customer"], old["order"]["dropoff"]["lat"]) == (None, 60.1)
        assert CANARY in str(await node.get("/v1/orders/ord_young/history"))
        assert CANARY not in node.log.read_text()
    await database.close()


async def test_expired_data_goes_in_batches_once(database: Database) -> None:
    """Two nodes at a time share the work, each order is erased once, and the next search finds nothing."""
    await database.pool.execute(
        "INSERT INTO orders (id, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, dropoff_address, "
        "delivered_at, closed_at) SELECT 'ord_' || n, 'delivered', 60, 25, 60, 25, 'x', at, at "
        "FROM generate_series(1, $1::integer) n, "
        "LATERAL (SELECT $2::timestamptz - n * interval '1 minute' AS at) ages",
        *(2 * ERASED_AT_ONCE + 50, NOW),
    )
    both = await asyncio.gather(*(erase_expired_customers(database, NOW, NOW) for _ in range(2)))
    assert sum(both) <= 2 * ERASED_AT_ONCE
    erased = sum(both)
    while last := await erase_expired_customers(database, NOW, NOW):
        assert last <= ERASED_AT_ONCE
        erased += last
    assert erased == 2 * ERASED_AT_ONCE + 50
    rows = await database.pool.fetch("SELECT DISTINCT version, dropoff_address FROM orders")
    assert [tuple(row) for row in rows] == [(2, None)]
