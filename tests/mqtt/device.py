"""A phone with OwnTracks in its MQTT mode, and a device of our own that also reads acknowledgements."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import time
from typing import Any, Final

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.mqtt.brokers import Broker
from tests.waiting import until

PLACE: Final = {"lat": 60.1713, "lon": 24.9440}
NOW: Final = int(time())


def location(tst: int, **more: object) -> dict[str, object]:
    """A message as the app sends it."""
    own = {"_type": "location", "tst": tst, "acc": 8, "vel": 20, "batt": 71, "conn": "m", "tid": "ak"}
    return own | PLACE | more


class Device:
    """One MQTT client with a driver's account."""

    def __init__(self, broker: Broker, driver_id: str, token: str) -> None:
        self.driver_id, self.heard = driver_id, list[tuple[str, Any]]()
        self.refused = False
        self._loop = asyncio.get_running_loop()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self.client.username_pw_set(driver_id, token)
        self.client.max_inflight_messages_set(100)
        self.client.reconnect_delay_set(1, 1)
        if broker.tls:
            self.client.tls_set_context(ssl.create_default_context(cafile=broker.folder / "ca.pem"))
        self.taken = list[int]()  # publications that the broker has acknowledged
        self.client.on_publish = lambda _client, _data, number, *_: self.taken.append(number)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda _client, _data, _flags, code, _more: self._connected(code.is_failure)
        self.topics = [f"tracker/{driver_id}/ack"]
        self.client.will_set(self.topic(), msgspec.json.encode({"_type": "lwt", "tst": NOW}), 1)

    def _connected(self, refused: bool) -> None:
        self.refused = refused
        for topic in self.topics:
            self.client.subscribe(topic, 1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        heard = message.topic, msgspec.json.decode(message.payload)
        self._loop.call_soon_threadsafe(self.heard.append, heard)

    def topic(self, driver_id: str | None = None) -> str:
        return f"owntracks/{driver_id or self.driver_id}/phone"

    def send(self, message: Mapping[str, object] | bytes, topic: str | None = None) -> None:
        """Publish with QoS 1, as the app does; the client repeats it until the broker acknowledges it."""
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        self.client.publish(topic or self.topic(), payload, 1, retain=True)

    @property
    def acks(self) -> list[Any]:
        return [content for topic, content in self.heard if topic == f"tracker/{self.driver_id}/ack"]

    @property
    def acknowledged(self) -> set[int]:
        """Times of the fixes that the service has stored."""
        return {tst for ack in self.acks for tst in ack["tst"]}

    async def until_acknowledged(self, *times: int, within: float = 60.0) -> None:
        await until(lambda: self.acknowledged >= set(times), within)


@asynccontextmanager
async def device_of(broker: Broker, driver: Any, *topics: str) -> AsyncIterator[Device]:
    """Yield a connected device of the driver, which also subscribes to *topics*."""
    device = Device(broker, driver["id"], driver["token"])
    device.topics += topics
    device.client.connect_async("localhost", broker.port, 20)
    device.client.loop_start()
    try:
        await until(lambda: device.client.is_connected() or device.refused)
        yield device
    finally:
        device.client.disconnect()
        await asyncio.to_thread(device.client.loop_stop)
