"""Profile `mqtt`: a phone's fix goes through Mosquitto in its container, over TLS, to an order's track."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from tests.containers.composition import LOOK_EVERY, Composition, free_port, wait_until
from tests.containers.engine import Engine
from tests.mqtt.brokers import Broker, certify
from tests.mqtt.device import device_of, location
from tests.waiting import until

pytestmark = pytest.mark.containers

ACCOUNT_WITHIN = 120  # seconds; accounts are written every 30 s, and read again within 5 s


@pytest.fixture(scope="module")
def up(engine: Engine, checkout: Path, image: str) -> Iterator[Composition]:
    """The composition as docs/mqtt.md starts it."""
    folder = checkout / "secrets/mqtt"
    folder.mkdir()
    certify(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    settings = {name: str(free_port()) for name in ("PORT", "MQTT_PORT")}
    settings["TRACKER_MQTT_URL"] = "mqtt://tracker:a-password-for-the-service@mosquitto:1883"
    settings["TRACKER_MQTT_PUBLIC_URL"] = f"mqtts://localhost:{settings['MQTT_PORT']}"
    composition = Composition(engine, checkout, f"tracker-mqtt-{os.getpid()}", settings, ("mqtt",))
    with engine.health_checks():
        try:
            composition.up()
            wait_until(composition.is_ready, within=300)
            wait_until(lambda: listens(int(settings["MQTT_PORT"])), within=180)
            yield composition
        finally:
            composition.down()


def listens(port: int) -> bool:
    """Whether the broker has its accounts, without which it does not start."""
    try:
        with socket.create_connection(("localhost", port), 1.0) as connection:
            connection.settimeout(1.0)
            return connection.recv(1) != b""  # the engine's proxy closes what leads nowhere
    except TimeoutError:
        return True
    except OSError:
        return False


async def test_a_new_drivers_fix_reaches_the_track(up: Composition) -> None:
    """The driver is created after the start; half a minute later the broker takes the account."""
    driver = up.post("/v1/drivers", {"name": "Aino Korhonen", "vehicle": "car"})
    order = up.new_order(driver["id"])
    account = driver["setup"]["mqtt"]
    assert (account["host"], account["tls"]) == ("localhost", True)
    broker = Broker("mosquitto", up.checkout / "secrets/mqtt", account["port"], tls=True)
    async with device_of(broker, driver) as device:
        await until(device.client.is_connected, ACCOUNT_WITHIN, LOOK_EVERY)
        at = int(time()) + 1  # after the assignment
        device.send(location(at))
        await device.until_acknowledged(at)
    assert len(up.track(order)) == 1
    said = up.run("exec", "-T", "tracker", "tracker", "check", check=False)
    assert "ok    MQTT: the broker at" in said
