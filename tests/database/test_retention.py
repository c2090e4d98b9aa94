"""What goes away, when, and that it stays away: old days, erased drivers; and that nobody waits meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg

from tests.api.merchant import send_fixes
from tests.faults.cluster import Cluster
from tests.service import Service, hear, say
from tests.test_fix_recorder import Bench, judged
from tests.waiting import until
from tracker.database import Database
from tracker.database.migrations import migrate
from tracker.database.partitions import fixes_in_default, keep_partitions
from tracker.domain.tracks.fix import Fix
from tracker.errors import StorageUnavailable
from tracker.fix_recorder import FixRecorder

DAYS = 30
MANY = 200_000  # fixes of the driver who is erased


async def slowest(recording: Any, meanwhile: Any) -> float:
    """The longest that one call took while `meanwhile` was going on, in seconds."""
    done = asyncio.ensure_future(meanwhile)
    longest, second = 0.0, 0
    while not done.done() or second < 20:
        begun = monotonic()
        await recording(second)
        longest, second = max(longest, monotonic() - begun), second + 1
    await done
    return longest


async def test_days_that_are_too_old_are_dropped_and_nobody_waits(database: Database) -> None:
    """Dropped whole while fixes come in: no call takes a second, and nothing younger is lost."""
    now = datetime.now(UTC)
    async with FixRecorder(database) as recorder:
        bench = Bench(database, recorder)
        driver = await bench.driver()
        ages = [0, 1, DAYS - 1, DAYS + 1, DAYS + 5, DAYS + 20]
        fixes = [Fix(now - timedelta(days=age, minutes=1), 60.17, 24.94) for age in ages]
        await recorder.record(driver, judged(fixes, received_at=now))

        async def record(second: int) -> None:
            await recorder.record(
                driver, judged([Fix(now + timedelta(seconds=second), 60.17, 24.94)], received_at=now)
            )

        longest = await slowest(record, keep_partitions(database, DAYS, now))
        assert longest < 1.0
        left = await database.pool.fetchval("SELECT count(*) FROM fixes WHERE recorded_at < $1", now)
        assert left == 3
        assert await fixes_in_default(database) == 0
        assert (await keep_partitions(database, DAYS, now)).dropped == 0


async def test_erasing_a_long_history_holds_nobody_up(service: Service, service_database: str) -> None:
    """200,000 fixes go while another driver streams: no acknowledgement takes a second."""
    gone, other = await service.new_driver(), await service.new_driver()
    database = await asyncpg.connect(service_database)
    number = await database.fetchval("SELECT number FROM drivers WHERE id = $1", gone["id"])
    await database.execute(
        "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon) "
        "SELECT $1, now() - n * interval '1 second', now(), 60, 25 FROM generate_series(1, $2::integer) n",
        number,
        MANY,
    )
    async with service.drive(other["token"]) as courier:
        await hear(courier, "welcome")

        async def record(n: int) -> None:
            at = datetime.now(UTC).isoformat()
            await say(courier, type="fixes", id=n, fixes=[{"recorded_at": at, "lat": 60.17, "lon": 24.94}])
            assert (await hear(courier, "ack", "slow"))["type"] == "ack"

        longest = await slowest(record, service.http.delete(f"/v1/drivers/{gone['id']}"))
    assert longest < 1.0
    assert await database.fetchval("SELECT count(*) FROM fixes WHERE driver = $1", number) == 0
    await database.close()


async def test_erased_stays_erased(service: Service, service_database: str) -> None:
    """Neither a replay by socket or HTTP nor what was under way brings anything back."""
    driver = await service.new_driver("Irma Katoava")
    order = await service.new_order(driver["id"])
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    fixes = [
        {"recorded_at": (datetime.now(UTC) - timedelta(seconds=n)).isoformat(), "lat": 60.17, "lon": 24.94}
        for n in range(20)
    ]
    await send_fixes(service, driver["token"], *fixes)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
    database = await asyncpg.connect(service_database)
    number = await database.fetchval("SELECT number FROM drivers WHERE id = $1", driver["id"])
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        await say(courier, type="fixes", id=1, fixes=fixes)
        assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
        async with asyncio.timeout(1.0):
            await courier.wait_closed()
        assert courier.close_code == 4001
    headers = {"Authorization": f"Bearer {driver['token']}"}
    again = await service.http.post("/v1/drivers/fixes", json=fixes, headers=headers)
    assert again.status_code == 401
    for table in ("fixes", "driver_states", "assignments", "driver_paces"):
        assert await database.fetchval(f"SELECT count(*) FROM {table} WHERE driver = $1", number) == 0, table
    await database.close()


async def test_the_history_that_stays_names_nobody(service: Service, service_database: str) -> None:
    """Of an order whose driver was erased there is what happened and when, but not by whom or where."""
    driver = await service.new_driver("Pekka Nimetön")
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        for n, text in enumerate(("Pekka here", "coming")):
            await say(courier, type="message", id=n, order_id=order["id"], text=text)
            await hear(courier, "ack")
    at = datetime.now(UTC).isoformat()
    await send_fixes(service, driver["token"], {"recorded_at": at, "lat": 60.17, "lon": 24.94})
    for status in ("picked_up", "delivered"):
        await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
    assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    history = await service.http.get(f"/v1/orders/{order['id']}/history")
    track = await service.http.get(f"/v1/orders/{order['id']}/track.ndjson")
    for told in (history.text, track.text):
        assert driver["id"] not in told
        assert "Pekka" not in told
    kinds = [entry["kind"] for entry in history.json()["timeline"]]
    assert {"created", "assigned", "picked_up", "delivered"} <= set(kinds)
    assert history.json()["order"]["driver_id"] is None
    database = await asyncpg.connect(service_database)
    for table in ("orders", "timeline", "links", "idempotency", "eta_forecasts", "eta_lessons"):
        rows = await database.fetch(f"SELECT t::text AS row FROM {table} AS t")
        wrong = [row["row"] for row in rows if driver["id"] in row["row"] or "Pekka" in row["row"]]
        assert wrong == [], table
    await database.close()


async def test_fixes_without_a_partition_are_an_alarm(database: Database) -> None:
    """They are kept in the default partition and counted, until their day is made and they move there."""
    far = datetime.now(UTC) + timedelta(days=12)
    statement = "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon) VALUES (1, $1, now(), 60, 25)"
    await database.pool.execute(statement, far)
    assert (await keep_partitions(database, DAYS, datetime.now(UTC))).in_default == 1
    assert (await keep_partitions(database, DAYS, far - timedelta(days=6))).in_default == 0
    assert await database.pool.fetchval("SELECT count(*) FROM fixes WHERE recorded_at = $1", far) == 1


async def test_readiness_tells_of_fixes_without_a_partition(service: Service, service_database: str) -> None:
    """The node stays ready, and says what is amiss until it is mended."""
    database = await asyncpg.connect(service_database)
    far = datetime.now(UTC) + timedelta(days=100)
    statement = "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon) VALUES (1, $1, now(), 60, 25)"
    await database.execute(statement, far)
    answer = await service.http.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["default_partition"])
    await database.execute("DELETE FROM fixes WHERE recorded_at = $1", far)
    assert "degraded" not in (await service.http.get("/readyz")).json()
    await database.close()


async def test_writing_goes_on_within_two_seconds_of_the_databases_return(tmp_path: Path) -> None:
    """After kill -9 of the server and its return a waiting fix is committed without anybody's help."""
    async with Cluster.open(tmp_path / "cluster") as cluster:
        await migrate(cluster.url)
        async with Database.open(cluster.url) as database, FixRecorder(database) as recorder:
            bench = Bench(database, recorder)
            driver = await bench.driver()
            now = datetime.now(UTC)
            await recorder.record(driver, judged([Fix(now, 60.17, 24.94)], received_at=now))
            cluster.kill()
            waiting = asyncio.create_task(_until_stored(recorder, driver, now))
            await until(lambda: waiting.done() or recorder.lag > 0.5)  # the first tries have failed
            assert not waiting.done()
            await cluster.start()
            returned = monotonic()
            assert await waiting - returned < 2.0
            assert recorder.lag == 0.0
            assert await bench.count() == 2


async def _until_stored(recorder: FixRecorder, driver: int, now: datetime) -> float:
    """When the next fix was committed, on the monotonic clock."""
    fix = Fix(now + timedelta(seconds=1), 60.17, 24.94)
    while True:
        try:
            await recorder.record(driver, judged([fix], received_at=now))
        except StorageUnavailable:
            continue
        return monotonic()
