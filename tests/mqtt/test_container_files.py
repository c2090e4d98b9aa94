"""The broker of the composition: its configuration, start script, and accounts that follow the drivers."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from tests.mqtt.brokers import Broker, broker_for
from tests.mqtt.device import NOW, device_of, location
from tests.mqtt.test_brokers import Site, ready
from tests.proxies.programs import free_port
from tests.service import SECRET, running_service
from tests.waiting import until

MOSQUITTO = Path(__file__).parents[2] / "deploy" / "mosquitto"


def configuration(broker: Broker) -> str:
    """deploy/mosquitto/container.conf with this broker's folder and port."""
    text = (MOSQUITTO / "container.conf").read_text()
    for mount in ("/accounts", "/certificates", "/mosquitto/data"):
        text = text.replace(mount, str(broker.folder))
    text = text.replace("listener 8883", f"listener {broker.port} localhost")
    text = text.replace("listener 1883", f"listener {free_port()} localhost")
    return text + ("user root\n" if os.geteuid() == 0 else "")


async def test_a_driver_of_later_connects(data_dir: Path, database_url: str, tmp_path: Path) -> None:
    """The accounts are written again by themselves, and the broker reads them without a restart."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(broker_for("mosquitto", tmp_path / "broker", tls=True))
        service = await stack.enter_async_context(
            running_service(data_dir, database_url, TRACKER_MQTT_URL=broker.url)
        )
        settings = {"DATABASE_URL": database_url, "TRACKER_MQTT_URL": broker.url, "TRACKER_SECRET": SECRET}
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker", "mqtt", "acl", "--out", str(broker.folder), "--every", "1"),
            env=os.environ | settings,
            stdout=asyncio.subprocess.DEVNULL,
        )
        stack.push_async_callback(ended, writer)
        await until(lambda: all((broker.folder / name).exists() for name in ("acl", "passwords")))
        (broker.folder / "broker.conf").write_text(configuration(broker))
        names = {"ACCOUNTS": broker.folder, "CONFIG": broker.folder / "broker.conf", "LOOK_EVERY": "0.2"}
        path = f"{os.environ['PATH']}:/usr/sbin"
        broker.process = await asyncio.create_subprocess_exec(
            *("sh", str(MOSQUITTO / "serve.sh")),
            env={**{name: str(value) for name, value in names.items()}, "PATH": path},
        )
        site = Site(service, database_url, broker)
        await ready(site)
        driver = await service.new_driver()
        async with device_of(broker, driver) as device:
            device.send(location(NOW))
            await device.until_acknowledged(NOW)
        await broker.end()
        assert broker.process.returncode == 0


async def ended(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()
