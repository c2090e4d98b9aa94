"""Positions through real brokers: stored once, acknowledged after the commit, for one's own driver only."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from driver_sim.couriers.events import Event
from driver_sim.couriers.phone import Tempo
from driver_sim.couriers.scenario import Scenario, Settings
from driver_sim.report.totals import totals
from tests.conftest import temporary_database
from tests.mqtt.brokers import Broker, Kind, broker_for
from tests.mqtt.device import NOW, PLACE, device_of, location
from tests.service import ADMIN_KEY, SECRET, Service, running_service
from tests.waiting import until
from tracker.commands.mqtt_accounts.files import write_files
from tracker.config import Config

MANY: Final = 10_000


class Site(msgspec.Struct):
    """A service, its database, and its broker."""

    service: Service
    database_url: str
    broker: Broker

    async def new_driver(self) -> Any:
        """A driver whom the broker knows."""
        driver = await self.service.new_driver()
        await self.write_accounts()
        self.broker.reload()
        return driver

    async def write_accounts(self) -> None:
        config = Config(database_url=self.database_url, mqtt_url=self.broker.url, secret=SECRET)
        await write_files(config, lambda _: None, self.broker.kind, self.broker.folder)

    async def stored(self, driver: Any) -> list[int]:
        """The device's own times of the driver's stored fixes."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows = await connection.fetch(
                "SELECT recorded_at FROM fixes JOIN drivers ON number = driver WHERE id = $1 ORDER BY 1",
                driver["id"],
            )
        finally:
            await connection.close()
        return [int(row["recorded_at"].timestamp()) for row in rows]

    async def counted(self, kind: str) -> float:
        text = (await self.service.http.get("/metrics")).text
        start = f'tracker_phone_messages_total{{format="mqtt",kind="{kind}"}} '
        return float(next(line for line in text.splitlines() if line.startswith(start)).split()[1])

    async def degraded(self) -> list[str]:
        """Return what is missing, once the node is ready: a busy machine lets the database wait."""

        async def readiness() -> Any:
            answer = await self.service.http.get("/readyz")
            return answer.json() if answer.is_success else None

        found: list[str] = (await until(readiness)).get("degraded", [])
        return found


async def ready(site: Site) -> None:
    async def takes_mqtt() -> bool:
        return "mqtt" not in await site.degraded()

    await until(takes_mqtt, 60)


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=["mosquitto", "nats"])
async def site(
    request: pytest.FixtureRequest,
    data_dir: Path,
    postgres: str,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Site]:
    """A service that waits for its broker, which then starts."""
    kind: Kind = request.param
    async with (
        broker_for(kind, tmp_path_factory.mktemp(kind), judged=True) as broker,
        temporary_database(postgres, template) as url,
        running_service(data_dir, url, TRACKER_MQTT_URL=broker.url) as service,
    ):
        site = Site(service, url, broker)
        assert "mqtt" in await site.degraded()
        await site.write_accounts()
        await broker.start()
        await ready(site)
        yield site


async def test_a_fix_is_stored_once_and_acknowledged_after_the_commit(site: Site) -> None:
    """Sent again, it is a duplicate; battery and network are the device's state."""
    driver = await site.new_driver()
    async with device_of(site.broker, driver) as device:
        device.send(location(NOW))
        await device.until_acknowledged(NOW)
        assert await site.stored(driver) == [NOW]
        assert device.acks == [{"tst": [NOW], "stored": 1, "duplicates": 0}]
        device.send(location(NOW))
        await until(lambda: len(device.acks) == 2)
        assert device.acks[1] == {"tst": [NOW], "stored": 0, "duplicates": 1}
    shown = await site.service.get(f"/v1/drivers/{driver['id']}")
    assert shown["last_fix"]["lat"] == PLACE["lat"]
    assert (shown["device"]["battery"], shown["device"]["network"]) == (0.71, "mobile")


async def test_a_device_reaches_only_its_own_drivers_topics(site: Site) -> None:
    """It can neither send another driver's positions nor read them or their acknowledgements."""
    driver, other = await site.new_driver(), await site.new_driver()
    spying = f"owntracks/{other['id']}/+", f"tracker/{other['id']}/ack", "owntracks/#"
    async with device_of(site.broker, driver, *spying) as spy, device_of(site.broker, other) as victim:
        spy.send(location(NOW), spy.topic(other["id"]))
        spy.send(msgspec.json.encode({"tst": [1], "stored": 1}), f"tracker/{other['id']}/ack")
        victim.send(location(NOW + 1))
        await victim.until_acknowledged(NOW + 1)
        spy.send(location(NOW + 2))
        await spy.until_acknowledged(NOW + 2)
        assert await site.stored(other) == [NOW + 1]
        assert victim.acknowledged == {NOW + 1}
        assert {topic for topic, _ in spy.heard} == {f"tracker/{driver['id']}/ack"}


async def test_a_simulated_courier_waits_for_its_account(site: Site) -> None:
    """A new driver has no account until the broker's files are written; then all its fixes are stored."""
    told: list[Event] = []
    settings = Settings(
        url=site.service.url, api_key=ADMIN_KEY, drivers=1, orders=1, seed=4900, protocol="mqtt",
        tempo=Tempo(0.2, 180.0),
    )  # fmt: skip
    scenario = Scenario(settings, told.append)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scenario.run())
        await until(lambda: any("tracker mqtt acl" in one.text for one in told))
        await site.write_accounts()
        site.broker.reload()
    total = totals(scenario.couriers)
    assert (total.delivered, total.unacked, total.duplicates) == (1, 0, 0)
    assert total.acked == len(await site.stored({"id": scenario.couriers[0].driver_id})) > 0


async def test_only_the_newest_token_is_the_password(site: Site) -> None:
    """After a new token and `tracker mqtt acl`, the broker refuses the old one."""
    driver = await site.new_driver()
    renewed = await site.service.post(f"/v1/drivers/{driver['id']}/token", {})
    await site.write_accounts()
    site.broker.reload()
    async with device_of(site.broker, renewed) as device:
        device.send(location(NOW))
        await device.until_acknowledged(NOW)
    async with device_of(site.broker, driver) as old:
        assert old.refused


async def test_messages_of_an_erased_driver_are_counted_and_dropped(site: Site) -> None:
    """Until the broker's files are written again, it still knows the account."""
    driver, before = await site.new_driver(), await site.counted("unknown_driver")
    assert (await site.service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    async with device_of(site.broker, driver) as device:
        device.send(location(NOW))

        async def is_counted() -> bool:
            return await site.counted("unknown_driver") > before

        await until(is_counted)
        assert device.acks == []


async def test_what_is_no_fix_is_counted_and_stops_nothing(site: Site) -> None:
    """Bad fixes are rejected by name; a fix after them is stored."""
    driver = await site.new_driver()
    kinds = ("unreadable", "empty", "other", "encrypted", "too_large", "heartbeat")
    before = {kind: await site.counted(kind) for kind in kinds}
    messages: tuple[Any, ...] = (
        *(b"\xff\xfe{", b"[1, 2]", b"null", b"", b"   "),
        *({"_type": "transition", "tst": NOW}, {"_type": "encrypted", "data": "x"}, b"[" * 70_000),
        *(b"[" * 50_000, {"_type": "location", "tst": NOW, "t": "p"} | PLACE),
    )
    async with device_of(site.broker, driver) as device:
        for message in messages:
            device.send(message)
        device.send(location(NOW, lat=95.0))
        device.send(location(NOW + 3 * 86_400))
        device.send(b'{"_type":"location","lat":1,"lon":2,"tst":1e999}')
        device.send(location(NOW + 1))
        await device.until_acknowledged(NOW + 1)
        rejected = [each for ack in device.acks for each in ack.get("rejected", [])]
    assert [each["reason"] for each in rejected] == ["latitude_out_of_range", "in_the_future", "malformed"]
    assert await site.stored(driver) == [NOW + 1]
    grown = [kind for kind in kinds if await site.counted(kind) > before[kind]]
    assert grown == [kind for kind in kinds if site.broker.kind == "nats" or kind != "too_large"]


async def test_a_burst_is_stored_whole(site: Site) -> None:
    """Ten thousand messages at once, through whatever window the broker has."""
    driver = await site.new_driver()
    times = range(NOW - MANY, NOW)
    async with device_of(site.broker, driver) as device:
        for tst in times:
            device.send(location(tst))
        await device.until_acknowledged(*times, within=120.0)
    assert await site.stored(driver) == list(times)


async def test_the_last_will_of_a_device_is_not_a_position(site: Site) -> None:
    """The broker publishes it when a device vanishes; a heartbeat or a fix shows that the device is back."""
    driver, before = await site.new_driver(), await site.counted("last_will")
    async with device_of(site.broker, driver) as device:
        device.client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # it is connected

        async def is_counted() -> bool:
            return await site.counted("last_will") > before

        await until(is_counted)
        await until(device.client.is_connected)
        device.send(location(NOW))
        await device.until_acknowledged(NOW)
    assert await site.stored(driver) == [NOW]


async def test_while_nothing_can_be_stored_the_broker_keeps_it(site: Site) -> None:
    """A locked table: no acknowledgement meanwhile, and afterwards everything is stored."""
    driver = await site.new_driver()
    times = range(NOW - 3_000, NOW)
    async with device_of(site.broker, driver) as device:
        device.send(location(times[0]))
        await device.until_acknowledged(times[0])
        connection = await asyncpg.connect(site.database_url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE fixes IN ACCESS EXCLUSIVE MODE")
                for tst in times[1:]:
                    device.send(location(tst))
                await until(lambda: len(device.taken) == len(times))
                assert device.acknowledged == {times[0]}
        finally:
            await connection.close()
        await device.until_acknowledged(*times)
    assert await site.stored(driver) == list(times)


async def test_setup_has_the_drivers_account(site: Site) -> None:
    """The newest token is the password."""
    driver = await site.service.new_driver()
    assert driver["setup"]["mqtt"] == {
        "host": "localhost",
        "port": site.broker.service_port,
        "tls": False,
        "username": driver["id"],
        "password": driver["token"],
        "device_id": "phone",
        "topic": f"owntracks/{driver['id']}/phone",
    }


async def test_nothing_acknowledged_is_lost_with_the_broker(site: Site) -> None:
    """A killed broker may lose what it has; the device repeats what the service has not acknowledged."""
    driver = await site.new_driver()
    times = range(NOW - 400, NOW)
    async with device_of(site.broker, driver) as device:
        for tst in times[:200]:
            device.send(location(tst))
        await until(lambda: device.acknowledged)
        await site.broker.end(kill=True)
        before = set(device.acknowledged)
        assert before <= set(await site.stored(driver))
        await site.broker.start()
        await ready(site)
        await until(device.client.is_connected)
        for tst in times:
            if tst not in device.acknowledged:
                device.send(location(tst))
        await device.until_acknowledged(*times)
    assert await site.stored(driver) == list(times)
