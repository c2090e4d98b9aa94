"""Orders that nobody closes: reported once, by one node, at the moment from which they hide the driver."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.orders.test_lifecycle import DROPOFF, PICKUP, add_driver, kinds
from tests.service import Service, hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import until
from tracker.database import Database
from tracker.database import orders as rows
from tracker.database.events.milestones import insert_milestone
from tracker.database.queries import sql
from tracker.domain.order import Order, OrderStatus
from tracker.domain.privacy.visibility import is_stuck
from tracker.metrics import Metrics
from tracker.orders.stuck_orders import report_stuck_orders

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
WITHIN = 30.0  # seconds; the service looks every 5


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def order(name: str, *, status: str = "assigned", created: float, **times: float | None) -> Order:
    """Hours before NOW."""
    at = {field: None if hours is None else ago(hours) for field, hours in times.items()}
    return Order(
        id=f"ord_{name}",
        status=OrderStatus(status),
        created_at=ago(created),
        pickup=PICKUP,
        dropoff=DROPOFF,
        **at,  # type: ignore[arg-type]
    )


CASES: dict[str, tuple[Order, float | None, bool]] = {  # with the hours since the arrival
    "made_long_ago": (order("a", status="created", created=24.0), None, True),
    "made_lately": (order("b", status="created", created=23.9), None, False),
    "given_lately": (order("c", created=99.0, assigned_at=23.0), None, False),
    "given_long_ago": (order("d", created=99.0, assigned_at=24.0), None, True),
    "fetched_lately": (
        order("e", status="picked_up", created=99.0, assigned_at=50.0, picked_up_at=2.0),
        None,
        False,
    ),
    "after_its_window": (order("f", created=1.0, assigned_at=1.0, window_to=24.0), None, True),
    "not_long_after_its_window": (order("g", created=99.0, assigned_at=99.0, window_to=23.0), None, False),
    "tried_again_lately": (order("again", status="created", created=99.0, attempt_at=23.0), None, False),
    "tried_again_long_ago": (order("again_old", status="created", created=99.0, attempt_at=24.0), None, True),
    "before_a_window_without_end": (order("h", created=99.0, window_from=-5.0), None, False),
    "arrived_long_ago": (order("i", created=5.0, assigned_at=5.0, window_to=-9.0), 4.0, True),
    "arrived_lately": (order("j", created=99.0, assigned_at=98.0, window_to=90.0), 3.9, False),
    "another_driver_arrived": (order("k", created=23.0, assigned_at=3.0), 5.0, False),
    "another_driver_arrived_days_ago": (order("l", created=99.0, assigned_at=25.0), 30.0, True),
    "taken_back_after_the_arrival": (order("m", status="created", created=20.0), 5.0, False),
    "over": (order("n", status="delivered", created=99.0, assigned_at=99.0, delivered_at=50.0), 60.0, False),
}


async def stored(database: Database, case: str) -> Order:
    one, arrived, _ = CASES[case]
    await rows.insert_orders(database, [one])
    if arrived is not None:
        await rows.insert_assignments(
            database, [(one.id, (await add_driver(database)).number, one.created_at)]
        )
        assert await insert_milestone(database, one.id, "arrived_at_dropoff", ago(arrived))
    return one


async def test_what_is_reported_is_what_is_hidden(database: Database) -> None:
    """The statement and the pure rule say the same of every order; each is reported once."""
    made = {case: await stored(database, case) for case in CASES}
    metrics = Metrics()
    expected = {made[case].id for case, (_, _, stuck) in CASES.items() if stuck}
    for case, (one, arrived, stuck) in CASES.items():
        assert is_stuck(one, None if arrived is None else ago(arrived), NOW) is stuck, case
    assert await report_stuck_orders(database, metrics, NOW) == len(expected)
    reported = {one.id for one in made.values() if "stuck" in await kinds(database, one.id)}
    assert reported == expected
    assert await report_stuck_orders(database, metrics, NOW + timedelta(seconds=15)) == 0
    assert f"tracker_orders_stuck_total {len(expected)}.0".encode() in metrics.text()


async def test_several_nodes_report_an_order_once(database: Database) -> None:
    """Whoever comes first; the others pass it over without waiting."""
    old = [order(f"old_{n}", status="created", created=30.0) for n in range(40)]
    for one in old:
        await rows.insert_orders(database, [one])
    reported = await asyncio.gather(*(report_stuck_orders(database, Metrics(), NOW) for _ in range(6)))
    assert sum(reported) == len(old)
    assert [await kinds(database, one.id) for one in old] == [["stuck"]] * len(old)


async def test_looking_costs_as_much_as_there_is_to_report(database: Database) -> None:
    """Both halves are found by an index of open orders that were not reported."""
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        statement = "EXPLAIN " + sql("flag_stuck_orders")
        statement = statement.replace("$1", "now()").replace("$2", "500")
        plan = "\n".join(line for (line,) in await connection.fetch(statement))
    assert "orders_unclosed_after_arrival" in plan
    assert "using orders_unclosed on" in plan or "on orders_unclosed " in plan


async def test_an_order_a_day_after_its_window_shows_no_driver(service: Service) -> None:
    """From outside: hidden at once, `stuck` in the timeline soon, and once; another window shows it again."""
    driver = await service.new_driver()
    window = {"to": (datetime.now(UTC) - timedelta(hours=25)).isoformat()}
    window["from"] = (datetime.now(UTC) - timedelta(hours=26)).isoformat()
    order = await service.new_order(
        driver["id"], window=window, visibility={"position": "always", "route": "always"}
    )
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.3))])
        await hear(courier, "ack")
        await say(courier, type="status", id=2, order_id=order["id"], status="picked_up")
        await hear(courier, "ack")
    snapshot = await service.get(f"/v1/track/{token_of(order)}")
    assert [snapshot[name] for name in ("position", "route", "trail")] == [None] * 3
    assert (snapshot["visibility"], snapshot["eta"]["distance_m"]) == ("hidden", None)
    await until_stuck(service, order)
    soon = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    later = {"from": window["from"], "to": soon}
    answer = await service.http.patch(f"/v1/orders/{order['id']}", json={"window": later})
    assert answer.is_success, answer.text
    assert (await service.get(f"/v1/track/{token_of(order)}"))["visibility"] == "live"


async def until_stuck(service: Service, order: Any) -> None:
    async def is_stuck() -> bool:
        history = await service.get(f"/v1/orders/{order['id']}/history")
        return [entry["kind"] for entry in history["timeline"]].count("stuck") == 1

    await until(is_stuck, WITHIN)
