"""MqttSource: OwnTracks over MQTT. It keeps each fix until the service's own acknowledgement.

A broker acknowledges a message when the broker has it. The service publishes to `tracker/<driver id>/ack`
after the commit. paho-mqtt runs its socket in a thread; everything else here happens in the event loop.
"""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from driver_sim.client.outbox import OnStored
from driver_sim.merchant_api import Broker
from driver_sim.sources.formats import owntracks_message
from driver_sim.sources.http_source import in_whole_seconds
from driver_sim.sources.source import OnError
from tracker.domain.tracks.fix import Fix

QOS: Final = 1
KEEPALIVE_S: Final = 30
RESEND_AFTER_S: Final = 45.0  # without an acknowledgement
CHECK_INTERVAL_S: Final = 1.0
REFUSED: Final = "the broker refuses the driver's account; run `tracker mqtt acl` and reload the broker"


class _Ack(msgspec.Struct):
    """What the service publishes: the times of fixes that are stored."""

    tst: list[int]
    stored: int = 0
    duplicates: int = 0


class MqttSource:
    """Publishes a driver's fixes to the broker that phones use."""

    def __init__(self, broker: Broker, driver_id: str, *, on_error: OnError) -> None:
        """Create a source with the account and topic of *broker*. *on_error* hears of each failure."""
        self.counts: Counter[str] = Counter()
        self.latencies: deque[float] = deque(maxlen=1_000)
        self.on_stored: OnStored = lambda fixes: None
        self.connected = False  # and subscribed to the acknowledgements
        self._broker, self._on_error = broker, on_error
        self._fault = ""
        self._acks = f"tracker/{driver_id}/ack"
        self._last_tst = 0
        self._unacked: dict[int, tuple[Fix, float | None]] = {}  # by time; with when it was published
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._client = self._new_client()

    @property
    def unacked(self) -> int:
        return len(self._unacked)

    def add(self, fix: Fix) -> None:
        """Queue a fix. The app keeps the first of each second."""
        fix = in_whole_seconds(fix)
        tst = round(fix.recorded_at.timestamp())
        if tst != self._last_tst:
            self._last_tst = tst
            self._unacked[tst] = fix, None
            if self.connected:
                self._publish_due()

    async def flush(self, timeout_s: float = 10.0) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._unacked:
                    self._changed.clear()
                    await self._changed.wait()
        return not self._unacked

    async def run(self) -> None:
        """Publish until cancelled."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()
        try:
            while True:
                await asyncio.sleep(CHECK_INTERVAL_S)
                if self.connected:
                    self._publish_due()
        finally:
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)

    def _new_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        client.username_pw_set(self._broker.username, self._broker.password)
        client.reconnect_delay_set(1, 15)
        if self._broker.tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_message = self._on_disconnect, self._on_message
        return client

    # --- the event loop

    def _publish_due(self) -> None:
        """Publish what was never published, or long ago."""
        now = self._loop.time()
        for tst, (fix, at) in self._unacked.items():
            if at is None or now - at > RESEND_AFTER_S:
                self._unacked[tst] = fix, now
                self._client.publish(self._broker.topic, msgspec.json.encode(owntracks_message(fix)), QOS)
                self.counts["sent"] += at is None

    def _start(self) -> None:
        self.connected, self._fault = True, ""
        self._publish_due()

    def _fail(self, reason: str) -> None:
        """Report a fault once, however often it repeats."""
        self.connected = False
        if reason != self._fault:
            self._on_error(ConnectionError(f"{reason}; retrying"))
        self._fault = reason

    def _acknowledge(self, payload: bytes) -> None:
        with suppress(msgspec.MsgspecError):
            ack = msgspec.json.decode(payload, type=_Ack)
            self.counts["duplicates"] += ack.duplicates
            for tst in ack.tst:
                fix, at = self._unacked.pop(tst, (None, None))
                if fix is not None:
                    self.counts["acked"] += 1
                    self.on_stored((fix,))
                if at is not None:
                    self.latencies.append(self._loop.time() - at)
            self._changed.set()

    # --- paho's thread

    def _tell(self, change: Callable[..., None], *values: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(change, *values)

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            self._tell(self._fail, f"{REFUSED} ({code})")
        else:
            client.subscribe(self._acks, QOS)
            self._tell(self._start)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._tell(self._fail, f"no connection to the broker at {self._broker.host}:{self._broker.port}")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            self._tell(self._fail, f"the connection to the broker ended: {code}")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._tell(self._acknowledge, bytes(message.payload))
