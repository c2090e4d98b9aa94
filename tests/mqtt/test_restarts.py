"""A service that is killed: what the broker took from devices meanwhile is stored by the next one."""

from pathlib import Path

from tests.mqtt.brokers import broker_for
from tests.mqtt.device import NOW, device_of, location
from tests.mqtt.test_brokers import Site, ready
from tests.service import running_service
from tests.waiting import until


async def test_nothing_is_lost_with_a_killed_service(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    """The broker keeps the session; the device sends once. TLS with a private authority on both sides."""
    times = range(NOW - 600, NOW)
    async with broker_for("mosquitto", tmp_path / "broker", tls=True) as broker:  # noqa: SIM117 - uses it
        async with running_service(data_dir, database_url, TRACKER_MQTT_URL=broker.url) as service:
            site = Site(service, database_url, broker)
            await site.write_accounts()
            await broker.start()
            driver = await site.new_driver()
            await ready(site)
            async with device_of(broker, driver) as device:
                for tst in times[:300]:
                    device.send(location(tst))
                await until(lambda: device.acknowledged)
                service.process.kill()
                await service.process.wait()
                acknowledged = set(device.acknowledged)
                assert acknowledged <= set(await site.stored(driver))
                for tst in times[300:]:
                    device.send(location(tst))
                async with running_service(data_dir, database_url, TRACKER_MQTT_URL=broker.url):

                    async def all_stored() -> bool:
                        return await site.stored(driver) == list(times)

                    await until(all_stored, 60)
                    await until(lambda: device.acknowledged >= set(times[300:]))
