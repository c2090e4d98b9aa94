"""BrokerConnection: one session at an MQTT broker, whose messages are acknowledged only on request.

paho-mqtt runs its sockets in a thread of its own; everything else here happens in the event loop.
"""

import asyncio
import socket
import ssl
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Lock, Semaphore
from typing import Any, Final

import msgspec
import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tracker.broker_urls import MqttAddress

MOST_WAITING: Final = 1_000  # messages in memory; beyond it the socket is not read
MOST_UNSENT: Final = 10_000  # publications that wait for the broker
MESSAGE_BYTES: Final = 65_536  # a longer message is not kept
KEEPALIVE_S: Final = 30
RETRY_FIRST_S: Final = 1
RETRY_LAST_S: Final = 30
POLL_S: Final = 0.5  # how often a thread that waits for room looks whether to end
QOS: Final = 1

SUBSCRIPTION_REFUSED: Final = "the subscription was refused"
LOGIN_FIX: Final = "correct them, or write the broker's files again with `tracker mqtt acl` and reload it"
LOGIN_REFUSED: Final = f"it refuses the user name or the password; {LOGIN_FIX}"
_REFUSALS: Final = {
    "Not authorized": LOGIN_REFUSED,
    "Bad user name or password": LOGIN_REFUSED,
    SUBSCRIPTION_REFUSED: "it refuses the subscription to owntracks/+/+; allow this user to read that",
}
_FAILURES: Final[tuple[tuple[type[OSError], str], ...]] = (
    (socket.gaierror, "its name cannot be resolved; correct the host"),
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted; correct the host, or add ?ca=FILE with the authority that signed it",
    ),
    (ssl.SSLError, "TLS failed; use the port that speaks TLS, or mqtt:// for one that does not"),
    (ConnectionRefusedError, "nothing listens there; start the broker, or correct host and port"),
    (TimeoutError, "it does not answer; check host, port and firewalls"),
)

log = structlog.get_logger()


class Message(msgspec.Struct, frozen=True):
    """A message from the broker. One that was too large has no payload."""

    topic: str
    payload: bytes | None
    retained: bool  # published before the subscription
    number: int  # packet identifier; 0 if the broker expects no acknowledgement
    session: int  # the connection that it came by


class BrokerConnection:
    """A persistent session at the broker, reconnected for as long as it is open.

    The broker keeps what it sent until `acknowledge`, and sends it again after a reconnection.
    """

    def __init__(self, address: MqttAddress, client_id: str, topic: str, *, clean: bool) -> None:
        self.address, self._topic = address, topic
        self.connected = False  # and subscribed
        self.fault: str | None = None  # why the last connection failed, and the fix
        self.attempted = asyncio.Event()  # `connected` or `fault` is known
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._room = Semaphore(MOST_WAITING)
        self._session, self._session_lock, self._closing = 0, Lock(), False
        self._client = self._new_client(client_id, clean=clean)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: MqttAddress, client_id: str, topic: str, *, clean: bool = False
    ) -> AsyncIterator["BrokerConnection"]:
        """Connect to the broker in the background, for the duration of the block. Raises OSError for `ca`.

        With *clean*, the broker forgets the session at the end.
        """
        self = cls(address, client_id, topic, clean=clean)
        self._client.connect_async(address.host, address.port, KEEPALIVE_S)
        self._client.loop_start()
        try:
            yield self
        finally:
            self._closing = True
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)

    def _new_client(self, client_id: str, *, clean: bool) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=clean,
            protocol=MQTTProtocolVersion.MQTTv311,  # all that NATS speaks
            manual_ack=True,
        )
        client.max_queued_messages_set(MOST_UNSENT)
        client.reconnect_delay_set(RETRY_FIRST_S, RETRY_LAST_S)
        if self.address.username is not None:
            client.username_pw_set(self.address.username, self.address.password)
        if self.address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self.address.ca))
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_subscribe, client.on_disconnect = self._on_subscribe, self._on_disconnect
        client.on_message = self._on_message
        return client

    # --- the event loop

    async def receive(self) -> list[Message]:
        """Wait for messages and return all that wait, oldest first. Each one needs `acknowledge`."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages

    def acknowledge(self, message: Message) -> None:
        """Let the broker forget the message, and make room for another.

        One that came by an earlier connection is not acknowledged: its number may mean another message now.
        """
        with self._session_lock:
            if message.number and message.session == self._session:
                self._client.ack(message.number, QOS)
        self._room.release()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at least once, after a reconnection if need be. Beyond MOST_UNSENT it is dropped."""
        self._client.publish(topic, payload, QOS)

    def _connected(self) -> None:
        log.info("mqtt_connected", broker=str(self.address))
        self.connected, self.fault = True, None
        self.attempted.set()

    def _failed(self, fault: str) -> None:
        """Note a fault, and log it once, however often it repeats."""
        if fault != self.fault:
            log.warning("mqtt_unavailable", broker=str(self.address), reason=fault)
        self.connected, self.fault = False, fault
        self.attempted.set()

    def _ended(self, reason: str) -> None:
        """Note the end of a connection, unless the fault that ended it is known."""
        if self.connected or self.fault is None:
            self._failed(reason)

    def _arrive(self, message: Message) -> None:
        self._waiting.append(message)
        self._arrived.set()

    # --- paho's thread

    def _tell(self, change: Callable[..., None], *fault: str) -> None:
        if not self._closing:
            self._loop.call_soon_threadsafe(change, *fault)

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            self._tell(self._failed, describe(str(code)))
        else:
            client.subscribe(self._topic, QOS)

    def _on_subscribe(
        self, _client: Client, _data: Any, _number: int, codes: list[ReasonCode], _more: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes):
            self._tell(self._failed, describe(SUBSCRIPTION_REFUSED))
        else:
            self._tell(self._connected)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._tell(self._failed, describe(sys.exception()))

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        with self._session_lock:
            self._session += 1
        self._tell(self._ended, describe(str(code)))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """Hand a message over. While too many wait, the socket is not read."""
        while not self._room.acquire(timeout=POLL_S):
            if self._closing:
                return
        payload = bytes(message.payload) if len(message.payload) <= MESSAGE_BYTES else None
        number = message.mid if message.qos else 0
        arrived = Message(_topic(message), payload, message.retain, number, self._session)
        if not self._closing:
            self._loop.call_soon_threadsafe(self._arrive, arrived)


def _topic(message: MQTTMessage) -> str:
    """Return the topic; brokers pass on no other than UTF-8."""
    try:
        return message.topic
    except UnicodeDecodeError:
        return "not/UTF-8"


def describe(fault: BaseException | str | None) -> str:
    """Return what is wrong and how to fix it, without a secret."""
    if isinstance(fault, OSError):
        known = next((text for kind, text in _FAILURES if isinstance(fault, kind)), None)
        return known or f"the connection failed: {fault.strerror or type(fault).__name__}"
    return _REFUSALS.get(str(fault), f"the connection ended: {fault}")
