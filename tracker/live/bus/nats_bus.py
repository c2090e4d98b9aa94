"""NatsBus: the bus over NATS core. Its buffers are bounded, and it reconnects for as long as it is open."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import AuthorizationError, Error, SlowConsumerError

from tracker.broker_urls import NatsAddress
from tracker.errors import BusUnavailable
from tracker.live.bus.protocol import Answerer, Receiver
from tracker.metrics.bus import BusMetrics

SENT_BYTES: Final = 8_000_000  # that wait for the socket; beyond it, the oldest are dropped
RECEIVED_MESSAGES: Final = 10_000  # of one subject that wait for this node
RECEIVED_BYTES: Final = 16_000_000
ANSWERS_AT_ONCE: Final = 500
CONNECT_TIMEOUT_S: Final = 2
RECONNECT_S: Final = 1  # between attempts; every attempt takes another server, if there is one
PING_S: Final = 2  # a server that is silent for two of them is left
STOP_TIMEOUT_S: Final = 2.0

log = structlog.get_logger()

type Callback = Callable[[Msg], Coroutine[Any, Any, None]]


class NatsBus:
    """One connection to a NATS server. `fault` says why the last attempt failed."""

    def __init__(self, address: NatsAddress, name: str, metrics: BusMetrics) -> None:
        self._address, self._name, self._metrics = address, name, metrics
        self._client: Client | None = None
        self._subscriptions: list[tuple[str, Callback]] = []
        self._waiting: deque[tuple[str, bytes]] = deque()
        self.waiting_bytes = 0
        self._sending: asyncio.Task[None] | None = None
        self._subscribing: list[asyncio.Task[None]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self.attempted = asyncio.Event()  # set after the first attempt to connect
        self.fault: str | None = None
        self._is_closing = False

    @classmethod
    @asynccontextmanager
    async def open(cls, address: NatsAddress, name: str, metrics: BusMetrics) -> AsyncIterator["NatsBus"]:
        """Keep a connection during the block. It begins without one: a server may come later."""
        bus = cls(address, name, metrics)
        metrics.up.set_function(lambda: float(bus.connected))
        connecting = asyncio.create_task(bus._connect_forever())
        try:
            yield bus
        finally:
            bus._is_closing = True
            await bus._send_waiting()
            sending = [] if bus._sending is None else [bus._sending]
            ended = [connecting, *sending, *bus._subscribing, *bus._answering]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def receive(self, subject: str, receiver: Receiver) -> None:
        self._subscribe(subject, _receiving(receiver))

    def answer(self, subject: str, answerer: Answerer) -> None:
        self._subscribe(subject, self._answering_with(answerer))

    def _subscribe(self, subject: str, callback: Callback) -> None:
        """Subscribe at the next connection; at once if there is one."""
        self._subscriptions.append((subject, callback))
        if self._client is not None:
            self._subscribing.append(asyncio.create_task(_subscribe(self._client, subject, callback)))

    def publish(self, subject: str, message: bytes) -> None:
        if not self.connected:
            self._metrics.dropped.labels("unsent").inc()
            return
        self._waiting.append((subject, message))
        self.waiting_bytes += len(message)
        while self.waiting_bytes > SENT_BYTES:
            self.waiting_bytes -= len(self._waiting.popleft()[1])
            self._metrics.dropped.labels("unsent").inc()
        if self._sending is None or self._sending.done():
            # Starts at once: most messages need no task of their own, nor another pass of the event loop.
            loop = asyncio.get_running_loop()
            self._sending = asyncio.Task(self._send_waiting(), loop=loop, eager_start=True)

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        if not self.connected or self._client is None:
            raise BusUnavailable("The bus is not connected.")
        try:
            return (await self._client.request(subject, message, timeout_s)).data
        except (Error, OSError, TimeoutError) as error:
            raise BusUnavailable("No node answered in time.") from error

    # --- sending

    async def _send_waiting(self) -> None:
        """Send what waits; drop it if the connection is lost, because newer states follow."""
        while self._waiting:
            subject, message = self._waiting.popleft()
            self.waiting_bytes -= len(message)
            try:
                if self._client is not None and self._client.is_connected:
                    await self._client.publish(subject, message)
                    continue
            except (Error, OSError) as error:
                log.debug("bus_message_failed", why=type(error).__name__)
            self._metrics.dropped.labels("unsent").inc()

    # --- the connection

    async def _connect_forever(self) -> None:
        """Connect, and connect anew after a server has ended the connection for good."""
        while True:
            closed = asyncio.Event()
            client = Client()
            try:
                await self._connect(client, closed)
                self._client = client
                await closed.wait()
            except (Error, OSError, TimeoutError, ValueError) as error:
                await self._note_fault(error)
            finally:
                self._client = None
                with suppress(Error, OSError, TimeoutError):
                    await asyncio.wait_for(client.close(), STOP_TIMEOUT_S)
            await asyncio.sleep(RECONNECT_S)

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def note_closed() -> None:
            closed.set()

        async def note_fault(error: Exception) -> None:
            transport = client._transport
            if transport is not None and not client.is_connected:
                # The client leaves the socket of a failed attempt to the garbage collector.
                transport.close()  # type: ignore[no-untyped-call]
            await self._note_fault(error)

        await client.connect(
            list(self._address.servers),
            name=self._name,
            user=self._address.user,
            password=self._address.password,
            token=self._address.token,
            no_echo=True,  # customers of this node are served without the bus
            tls=_tls(self._address),
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_S,
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_S,
            error_cb=note_fault,
            disconnected_cb=self._note_disconnected,
            reconnected_cb=self._note_connected,
            closed_cb=note_closed,
        )
        for subject, callback in self._subscriptions:
            await _subscribe(client, subject, callback)
        await client.flush(CONNECT_TIMEOUT_S)
        await self._note_connected()

    def _answering_with(self, answerer: Answerer) -> Callback:
        async def begin(message: Msg) -> None:
            if len(self._answering) >= ANSWERS_AT_ONCE:
                self._metrics.dropped.labels("unread").inc()
                return
            task = asyncio.create_task(_answer(message, answerer))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        return begin

    async def _note_connected(self) -> None:
        self.fault = None
        self.attempted.set()
        log.info("bus_connected", servers=str(self._address))

    async def _note_disconnected(self) -> None:
        if not self._is_closing:
            log.warning("bus_disconnected", servers=str(self._address))

    async def _note_fault(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            self._metrics.dropped.labels("unread").inc()
            return
        fault = describe(error)
        if fault != self.fault:
            log.warning("bus_failed", servers=str(self._address), why=fault)
        self.fault = fault
        self.attempted.set()


async def _subscribe(client: Client, subject: str, callback: Callback) -> None:
    await client.subscribe(
        subject, cb=callback, pending_msgs_limit=RECEIVED_MESSAGES, pending_bytes_limit=RECEIVED_BYTES
    )


def _receiving(receiver: Receiver) -> Callback:
    async def receive(message: Msg) -> None:
        try:
            receiver(message.data)
        except Exception as error:  # one message must not end the subscription
            log.error("bus_message_rejected", exc_info=error)

    return receive


async def _answer(message: Msg, answerer: Answerer) -> None:
    try:
        answer = await answerer(message.data)
    except Exception as error:
        log.error("bus_request_failed", exc_info=error)
        return
    with suppress(Error, OSError):  # the connection is lost; the other node's request times out
        await message.respond(answer)


def _tls(address: NatsAddress) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    return ssl.create_default_context(cafile=address.ca)


def describe(error: BaseException) -> str:
    """Return what is wrong and how to fix it, without a secret."""
    if isinstance(error, AuthorizationError) or "authorization" in str(error).lower():
        return "the server refuses the user, password or token; correct them in NATS_URL"
    if isinstance(error, ssl.SSLError):
        return "TLS failed; correct the host, or add ?ca=FILE with the authority that signed the certificate"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; start nats-server, or correct host and port"
    if isinstance(error, TimeoutError):
        return "it does not answer; check host, port and firewalls"
    return f"the connection failed: {type(error).__name__}"
