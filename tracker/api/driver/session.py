"""A driver's session on one WebSocket: its messages, their sequence, and its end."""

import asyncio
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Final, assert_never

import structlog

from tracker.api.driver.login import Login, is_still_valid
from tracker.api.driver.messages import (
    decode_frame,
    fixes_ack,
    forward_note,
    report_device,
    report_duty,
    report_status,
)
from tracker.api.errors import CloseConnection
from tracker.domain.driver.role import Role
from tracker.domain.driver.silence import Departure
from tracker.errors import NotFound, RateLimited, StorageUnavailable, Unparsable
from tracker.live.drivers.trip import Receipt
from tracker.messages import (
    FIXES_PER_MESSAGE,
    DeviceMessage,
    DriverNote,
    DutyChange,
    DutyReport,
    ErrorReply,
    Fixes,
    FromDriver,
    Hello,
    Navigation,
    Ping,
    PolicyChange,
    Pong,
    RawFixes,
    Slow,
    StatusReport,
    ToDriver,
    Welcome,
    WireDuty,
    rfc3339,
)
from tracker.messages.codecs import AnyCodec, readings
from tracker.messages.conversions import wire_driver
from tracker.node import Node
from tracker.rate_limits import spread
from tracker.system.tracebacks import clear_traceback, leaves
from tracker.websocket.accept import Disconnected, Socket

PING_EVERY: Final = 20.0  # seconds
SILENCE_TIMEOUT: Final = 45.0  # seconds without a message from the driver
STORAGE_RETRY_DELAY: Final = 1.0  # seconds
MAX_IN_FLIGHT: Final = 32  # messages that may wait for their commit; then reading stops
MAX_BAD_MESSAGES: Final = 10
MAX_THROTTLED: Final = (
    5_000  # messages over the rate in a row; a backlog needs fewer, since its messages are larger
)
CALM_AFTER: Final = 1.0  # seconds within the rate that reset the count
OUTBOX_SIZE: Final = 256  # messages waiting for the socket; then a driver that reads none is disconnected
DRAIN_TIMEOUT: Final = 10.0  # seconds for the commits in flight

DELIBERATE: Final = (1000, 1001)  # close codes of an app or page that is closed

log = structlog.get_logger()


def _peer_gone() -> CloseConnection:
    """Return a new exception, without a close frame: one that is raised again would keep its old frames."""
    return CloseConnection(1006, "gone")


class DriverSession:
    """Reads, stores, acknowledges and writes concurrently, so that a slow commit delays no other message."""

    def __init__(self, node: Node, socket: Socket, codec: AnyCodec, login: Login, role: Role) -> None:
        self._node, self._socket, self._codec = node, socket, codec
        self._login, self._driver = login, login.driver
        self.role, self.token_hash = role, login.token_hash
        self._outbox: asyncio.Queue[ToDriver | CloseConnection] = asyncio.Queue(OUTBOX_SIZE)
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._last_received_at = monotonic()
        self._bad_messages = 0
        self._throttle_count, self._throttle_time = 0, -inf
        self._reading: asyncio.Task[None]
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve the connection. Always ends with CloseConnection; cancelled when the peer disconnects."""
        fleet = self._node.fleet
        duty = await fleet.states.duty(self._driver.id)
        orders = await fleet.assigned_orders(self._driver.id)  # no await between it and `connect`
        policy = fleet.policy(self._driver.id)
        welcome = wire_driver(self._driver), orders, rfc3339(self._node.now()), policy
        self.push(Welcome(*welcome, duty=WireDuty.of(duty)))
        fleet.connect(self._driver.id, self)
        fleet.connections.note_told(self._driver.id, PolicyChange(policy), DutyChange.of(duty))
        try:
            if not await is_still_valid(self._node, self._login):
                raise CloseConnection(4001, "unauthenticated")
            await self._run_tasks()
        finally:
            fleet.connections.disconnect(self._driver.id, self)

    async def _run_tasks(self) -> None:
        code, reason = 1011, "our_fault"
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._reading = self._tasks.create_task(self._read())
                for work in (self._write(), self._keep_alive(), self._await_end()):
                    self._tasks.create_task(work)
        except* CloseConnection as group:
            close = next(error for error in leaves(group) if isinstance(error, CloseConnection))
            code, reason = close.code, close.reason
            clear_traceback(group)
        raise CloseConnection(code, reason)

    async def _await_end(self) -> None:
        raise CloseConnection(*await self._ended)

    # --- for the fleet

    def push(self, message: ToDriver) -> None:
        """Queue a message. If the queue is full, end the session with 4102."""
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self._end(CloseConnection(4102, "too_slow"))

    def replace(self) -> None:
        self._end(CloseConnection(4009, "replaced"))

    def revoke(self) -> None:
        self._end(CloseConnection(4001, "unauthenticated"))

    @property
    def departure(self) -> Departure:
        return "closed" if self._socket.peer_close_code in DELIBERATE else "lost"

    async def settle(self) -> None:
        """Stop reading, and acknowledge the messages in flight."""
        self._reading.cancel()
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT):
                for _ in range(MAX_IN_FLIGHT):
                    await self._in_flight.acquire()
        except TimeoutError:
            log.warning("driver_drain_timed_out", driver=self._driver.id)

    def restart(self) -> None:
        restarting = CloseConnection(1012, self._node.fleet.restart.reason())
        try:
            self._outbox.put_nowait(restarting)
        except asyncio.QueueFull:  # the driver reads nothing, so a queued close frame would not arrive
            self._end(restarting)

    def _end(self, close: CloseConnection) -> None:
        if not self._ended.done():
            self._ended.set_result(
                (close.code, close.reason)
            )  # not the exception, whose traceback holds frames

    # --- the four tasks

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._socket.receive()
                if self._outbox.qsize() > OUTBOX_SIZE // 2:
                    await asyncio.sleep(0)  # let replies go out before reading more
                self._last_received_at = inf  # no silence while this side does not read
                await self._throttle(1)
                await self._handle_frame(frame)
                self._last_received_at = monotonic()
        except CloseConnection as close:
            self._end(close)
        except Disconnected:
            self._end(_peer_gone())

    async def _write(self) -> None:
        while True:
            message = await self._outbox.get()
            if isinstance(message, CloseConnection):
                self._end(message)
                return
            try:
                await self._socket.send(self._codec.encode(message))
            except Disconnected:
                self._end(_peer_gone())
                return

    async def _keep_alive(self) -> None:
        n = 0
        while (silence := monotonic() - self._last_received_at) < SILENCE_TIMEOUT:
            await asyncio.sleep(min(spread(PING_EVERY), SILENCE_TIMEOUT - silence))
            n += 1
            self.push(Ping(n))
        self._end(CloseConnection(4104, "silent"))

    async def _throttle(self, amount: int) -> None:
        """Delay reading while a driver exceeds its rate; too many messages in a row raise CloseConnection."""
        now = monotonic()
        wait = self._node.fix_rates.take(self._driver.id, amount, now)
        if wait == 0.0 and now - self._throttle_time > CALM_AFTER:
            self._throttle_count = 0
            return
        self._throttle_count += 1
        if self._throttle_count > MAX_THROTTLED:
            raise CloseConnection(4103, "rate_limited")
        if wait > 0.0:
            self._throttle_time = now
            await asyncio.sleep(wait)

    async def _handle_frame(self, frame: str | bytes) -> None:
        try:
            message = decode_frame(self._codec, frame)
        except Unparsable as error:
            self._bad_messages += 1
            self.push(ErrorReply(None, "bad_message", str(error)))
            if self._bad_messages >= MAX_BAD_MESSAGES:
                raise CloseConnection(4000, "bad_request") from error
            return
        self._bad_messages = 0
        await self._handle(message)

    async def _handle(self, message: FromDriver | RawFixes) -> None:
        match message:
            case Fixes() | RawFixes():
                await self._handle_fixes(message)
            case StatusReport():
                self.push(await report_status(self._node, self._driver, message))
            case DriverNote():
                self.push(await forward_note(self._node, self._driver, message))
            case Navigation():
                # The driver is erased, or the device repeats the message.
                with suppress(NotFound, StorageUnavailable):
                    await self._node.fleet.set_device_arrival(self._driver.id, message.arrives_at)
            case DutyReport():
                self.push(await report_duty(self._node, self._driver, message))
            case DeviceMessage():
                self.push(await report_device(self._node, self._driver, message))
            case Ping():
                self.push(Pong(message.n, rfc3339(self._node.now())))
            case Hello():
                self._change_role(message.role or self.role)
            case Pong():
                pass
            case _:
                assert_never(message)

    def _change_role(self, role: Role) -> None:
        if role == self.role:
            return
        self._node.fleet.connections.disconnect(self._driver.id, self)
        self.role = role
        try:
            self._node.fleet.connect(self._driver.id, self)
        except RateLimited:
            self._end(CloseConnection(4103, "rate_limited"))

    # --- fixes

    async def _handle_fixes(self, message: Fixes | RawFixes) -> None:
        if len(message.fixes) > FIXES_PER_MESSAGE:
            detail = f"A message may hold at most {FIXES_PER_MESSAGE} fixes; none was stored. Split it."
            self.push(ErrorReply(message.id, "too_many_fixes", detail))
            return
        if len(message.fixes) > 1:
            await self._throttle(len(message.fixes) - 1)
        await self._in_flight.acquire()
        self._tasks.create_task(self._store_and_acknowledge(message))

    async def _store_and_acknowledge(self, message: Fixes | RawFixes) -> None:
        try:
            receipt = await self._store(message)
            self.push(fixes_ack(message.id, receipt))
        finally:
            self._in_flight.release()

    async def _store(self, message: Fixes | RawFixes) -> Receipt:
        """Judge the message once and retry recording until it succeeds.

        Messages before a `slow` are still acknowledged.
        """
        fleet, batch = self._node.fleet, None
        while True:
            try:
                batch = batch or await fleet.receive(self._driver, readings(message), role=self.role)
                return await fleet.record(self._driver, batch)
            except StorageUnavailable:
                self.push(Slow())
                await asyncio.sleep(STORAGE_RETRY_DELAY)
