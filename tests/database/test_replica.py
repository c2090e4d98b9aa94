"""The past is read from a real streaming replica: all was acknowledged, whatever becomes of the replica."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.faults.cluster import Cluster
from tests.faults.standby import Standby, ask, at, execute
from tests.service import Service, metric, running_service
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import until
from tracker.commands.check import check_replica
from tracker.config import Config
from tracker.database import Database
from tracker.database.connection.opening import connect
from tracker.database.eta.forecasts import select_errors
from tracker.database.fixes import END_OF_TIME
from tracker.database.nodes.leases import beat
from tracker.database.replica.history import History
from tracker.errors import ConfigError
from tracker.live.nodes.leases import BEAT_EVERY_S, LASTS_S
from tracker.metrics import Metrics

READS = "tracker_replica_reads_total"
FILES = ("track.geojson", "track.gpx", "track.csv", "track.ndjson", "track.json", "history", "eta/history")


class Pair:
    """A primary, its replica, and a service that uses both."""

    def __init__(self, primary: Cluster, replica: Standby, url: str, service: Service) -> None:
        self.primary, self.replica, self.url, self.service = primary, replica, url, service

    async def count(self, reason: str) -> float:
        """How many requests went to the primary for this reason."""
        return await metric(self.service, f'tracker_replica_fallbacks_total{{reason="{reason}"}}')

    async def reads(self) -> float:
        return await metric(self.service, READS)

    async def until_used(self) -> None:
        """Wait until the node trusts the replica."""

        async def is_used() -> bool:
            return "replica" not in (await self.service.get("/readyz")).get("degraded", [])

        await until(is_used, 30)

    async def drives(self, order: Any, *steps: float) -> None:
        """The order's driver sends a fix for each step, which is acknowledged."""
        token = order["token"]
        body = {"fixes": [fix(0.01 * n, *on_the_way(step)) for n, step in enumerate(steps)]}
        answer = await self.service.post("/v1/drivers/fixes", body, Authorization=f"Bearer {token}")
        assert answer["stored"] == len(steps)

    async def track(self, order: Any) -> list[Any]:
        return list((await self.service.get(f"/v1/orders/{order['id']}/track.json?limit=500"))["items"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    async with (
        Cluster.open(folder / "primary") as primary,
        Standby.of(primary, folder / "replica", max_standby_streaming_delay="100ms") as replica,
    ):
        url = await primary.new_database()
        async with running_service(data_dir, url, DATABASE_REPLICA_URL=at(replica, url)) as service:
            up = Pair(primary, replica, url, service)
            await up.until_used()
            yield up


@pytest.fixture
async def order(pair: Pair) -> Any:
    """An order whose driver has driven a while."""
    driver = await pair.service.new_driver()
    order = await pair.service.new_order(driver["id"]) | {"token": driver["token"]}
    await pair.drives(order, 0.0, 0.01, 0.02)
    return order


async def test_every_read_of_the_past_has_what_was_acknowledged_just_before(pair: Pair, order: Any) -> None:
    """Each fix is in the track at once, and so is the end of the order. Other reads stay at the primary."""
    before, behind = await pair.reads(), await pair.count("behind")
    for n in range(10):
        await pair.drives(order, 0.03 + 0.001 * n)
        assert len(await pair.track(order)) == 4 + n
    for status in ("picked_up", "delivered"):
        await pair.service.post(f"/v1/orders/{order['id']}/status", {"status": status})
    history = await pair.service.get(f"/v1/orders/{order['id']}/history")
    assert history["timeline"][-1]["kind"] == "delivered"
    assert history["summary"]["fixes"] == 13
    for path in FILES:
        assert (await pair.service.http.get(f"/v1/orders/{order['id']}/{path}")).status_code == 200
    await pair.service.get("/v1/reports/eta")
    at_the_end = history["timeline"][-1]["at"]
    where = await pair.service.get(f"/v1/orders/{order['id']}/track?at={at_the_end}")
    assert (where["status"], where["at"]) == ("delivered", at_the_end)
    asked = 10 + 1 + len(FILES) + 2
    found = await pair.reads() - before
    assert found + await pair.count("behind") - behind == asked
    assert found > 0
    await pair.service.get(f"/v1/orders/{order['id']}")
    await pair.service.get(f"/v1/orders/{order['id']}/links")
    assert await pair.reads() - before == found


async def test_a_replica_that_stands_still_hides_nothing(pair: Pair, order: Any) -> None:
    """What it lacks comes from the primary; after seconds it is not even asked, and /readyz says so."""
    behind = await pair.count("behind")
    async with replay_paused(pair):
        await pair.drives(order, 0.021)
        assert len(await pair.track(order)) == 4
        assert await pair.count("behind") == behind + 1

        async def is_degraded() -> bool:
            return bool((await pair.service.get("/readyz")).get("degraded") == ["replica"])

        await until(is_degraded, 30)
        assert len(await pair.track(order)) == 4
        assert await pair.count("unusable") >= 1
    await pair.until_used()
    before = await pair.reads()
    assert len(await pair.track(order)) == 4
    assert await pair.reads() == before + 1


@asynccontextmanager
async def replay_paused(pair: Pair) -> AsyncIterator[None]:
    await execute(pair.replica.url, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        await execute(pair.replica.url, "SELECT pg_wal_replay_resume()")


async def test_a_read_that_the_replica_cancels_runs_on_the_primary(pair: Pair) -> None:
    """A statement that holds a table which the primary locks is cancelled there. Nobody notices."""
    async with (
        watched_history(pair) as (history, metrics),
        connect(pair.url) as one,
        connect(pair.url) as two,
    ):
        reads = await history.reads()
        wanted = (END_OF_TIME - timedelta(days=1), END_OF_TIME)
        async with one.transaction():
            await one.execute("LOCK TABLE drivers IN ACCESS EXCLUSIVE MODE")
            await until_replica(pair, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'")
            report = asyncio.create_task(select_errors(reads, *wanted))
            await until_replica(pair, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            async with two.transaction():
                await two.execute("LOCK TABLE eta_errors IN ACCESS EXCLUSIVE MODE")
                await until(lambda: fallbacks(metrics, "conflict") == 1)
        assert (await report)["overall"][0].errors.forecasts == 0
        assert not history.is_degraded


@asynccontextmanager
async def watched_history(pair: Pair) -> AsyncIterator[tuple[History, Metrics]]:
    """What a node reads the past with, without the node: in use, and kept in use."""
    metrics, node = Metrics(), "node_of_the_test"

    async def beat_forever(database: Database) -> None:
        while True:
            await beat(database, node, timedelta(seconds=LASTS_S))
            await asyncio.sleep(BEAT_EVERY_S)  # simulates a node

    async with (
        Database.open(pair.url) as database,
        History.open(at(pair.replica, pair.url), database, node, metrics.replica) as history,
    ):
        beating = asyncio.create_task(beat_forever(database))
        try:
            await until(lambda: not history.is_degraded, 30)
            yield history, metrics
        finally:
            beating.cancel()


def fallbacks(metrics: Metrics, reason: str) -> float | None:
    return metrics.registry.get_sample_value("tracker_replica_fallbacks_total", {"reason": reason})


async def until_replica(pair: Pair, statement: str) -> None:
    """Wait until a statement at the replica gives something."""

    async def gives() -> bool:
        return bool(await pair.replica.ask(statement))

    await until(gives)


async def test_a_dead_replica_is_not_missed(pair: Pair, order: Any) -> None:
    """kill -9 while it is trusted: the answer comes from the primary. Back again, it is used."""
    failed = await pair.count("failed")
    pair.replica.kill()
    assert len(await pair.track(order)) == 3
    assert await pair.count("failed") >= failed
    ready = await pair.service.get("/readyz")
    assert ready["degraded"] == ["replica"]
    assert await metric(pair.service, "tracker_replica_up") == 0
    await pair.replica.start()
    await pair.until_used()
    assert len(await pair.track(order)) == 3


async def test_a_url_that_leads_elsewhere_is_named(pair: Pair, database_url: str) -> None:
    """`tracker check` says why; a node starts without it, and says so in its log."""
    for url, why in (
        (pair.url, "leads to a primary"),
        (pair.replica.url, "leads to another database"),
        (database_url, "leads to another server"),
        (pair.replica.url.replace("/postgres?", "/nothing?"), "does not exist; create it"),
    ):
        with pytest.raises(ConfigError, match=f"^DATABASE_REPLICA_URL: .*{why}"):
            [line async for line in check_replica(Config(database_url=pair.url, database_replica_url=url))]
    found = check_replica(Config(database_url=pair.url, database_replica_url=at(pair.replica, pair.url)))
    assert [line async for line in found] == ["a streaming replica of the database answers"]


async def test_a_node_whose_replica_is_a_primary_says_so(pair: Pair) -> None:
    """As after a failover: it reads the primary, and goes on."""
    metrics = Metrics()
    async with (
        Database.open(pair.url) as database,
        History.open(pair.url, database, "node_2", metrics.replica) as history,
    ):
        with capture_logs() as logs:
            await until(lambda: bool(logs))
        assert [(entry["event"], "is a primary" in entry["why"]) for entry in logs] == [
            ("replica_unusable", True)
        ]
        assert history.is_degraded
        assert await history.reads() is database


async def test_a_user_without_rights_to_the_server_is_enough(pair: Pair) -> None:
    """No statement about positions and identities needs more than a plain user has."""
    await execute(pair.primary.url, "CREATE ROLE plain LOGIN")
    await execute(pair.url, "GRANT pg_read_all_data TO plain")
    plain = [url.replace("tracker@", "plain@") for url in (pair.url, at(pair.replica, pair.url))]
    found = check_replica(Config(database_url=plain[0], database_replica_url=plain[1]))
    assert [line async for line in found] == ["a streaming replica of the database answers"]
    async with Database.open(plain[0]) as database:
        assert await database.fetchrow("select_commit_mark", "nobody") is not None


async def test_nothing_is_acknowledged_that_the_standby_did_not_confirm(pair: Pair, order: Any) -> None:
    """PostgreSQL only warns where a commit's wait for its standby is cancelled, and shows what it wrote.

    Neither that, nor a fix that was sent before, is acknowledged then. Afterwards both are.
    """
    old, new = ({"fixes": [fix(0.0, *on_the_way(step))]} for step in (0.021, 0.022))
    drive = ("/v1/drivers/fixes", {"Authorization": f"Bearer {order['token']}"})

    async def status_of(body: object) -> int:
        reply = await pair.service.http.post(drive[0], json=body, headers=drive[1], timeout=PATIENCE_S)
        return reply.status_code

    assert await status_of(old) == 200
    await execute(pair.primary.url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await execute(pair.primary.url, "SELECT pg_reload_conf()")
    sent = asyncio.create_task(status_of(new))
    await until(lambda: _cancelled(pair), 30)
    assert await sent == 503
    assert await status_of(old) == 503
    await until(lambda: _waiting(pair), 30)
    assert (
        await ask(pair.url, f"SELECT count(*) {WAITING}") < 20
    )  # a statement that was given up is cancelled
    await execute(pair.primary.url, "ALTER SYSTEM RESET synchronous_standby_names")
    await execute(pair.primary.url, "SELECT pg_reload_conf()")

    async def is_confirmed() -> bool:
        return await status_of(new) == await status_of(old) == 200

    await until(is_confirmed, PATIENCE_S)


PATIENCE_S = 120.0  # a busy machine lets a request wait for several cancelled commits
WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


async def _cancelled(pair: Pair) -> bool:
    """Cancel the waits of commits; return whether there was one that stores fixes."""
    which = f"{WAITING} AND application_name = 'tracker ingest' AND query LIKE '%alive AS MATERIALIZED%'"
    return bool(await ask(pair.url, f"SELECT bool_or(pg_cancel_backend(pid)) {which}"))


async def _waiting(pair: Pair) -> bool:
    return bool(await ask(pair.url, f"SELECT count(*) {WAITING}"))
