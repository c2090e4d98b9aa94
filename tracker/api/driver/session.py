"""One driver's connection: what is said on it, in which order, and how it ends."""

import asyncio
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Final, assert_never

import structlog

from tracker.api.close import CloseConnection
from tracker.api.driver.messages import decoded, pass_on_note, report_status
from tracker.domain.order import Driver
from tracker.errors import NotFound, StorageUnavailable, Unparsable
from tracker.live.trip import Receipt
from tracker.messages import (
    FIXES_PER_MESSAGE,
    Ack,
    DriverNote,
    ErrorReply,
    Fixes,
    FromDriver,
    Hello,
    Navigation,
    Ping,
    Pong,
    RawFixes,
    Slow,
    StatusReport,
    ToDriver,
    Welcome,
    rfc3339,
)
from tracker.messages.codecs import JsonCodec, MsgpackCodec, readings
from tracker.messages.conversions import assigned_order, wire_driver
from tracker.node import Node
from tracker.rate_limits import spread
from tracker.system.tracebacks import let_go
from tracker.websocket.accept import Disconnected, Socket

PING_EVERY: Final = 20.0  # seconds
SILENT_AFTER: Final = 45.0  # seconds without a word from the driver
RETRY_STORAGE: Final = 1.0  # seconds
UNANSWERED: Final = 32  # messages that may wait for their commit; then we stop reading
BAD_IN_A_ROW: Final = 10
FLOOD: Final = 5_000  # messages in a row that came over the rate: a backlog comes in fewer, larger ones
RESTED: Final = 1.0  # seconds within the rate after which a driver counts as calm again
OUTBOX: Final = 256  # messages waiting for the socket; a driver that reads none of them is cut
DRAIN_WITHIN: Final = 10.0  # seconds for the commits in flight

log = structlog.get_logger()


def _gone() -> CloseConnection:
    """Nobody is told: there is nobody. A new one each time: raised again, one keeps every frame it passed."""
    return CloseConnection(1006, "gone")


class DriverSession:
    """Reads, commits, acknowledges and writes side by side: a slow commit never holds up the next message."""

    def __init__(self, here: Node, socket: Socket, codec: JsonCodec | MsgpackCodec, driver: Driver) -> None:
        self._here, self._socket, self._codec, self._driver = here, socket, codec, driver
        self._outbox: asyncio.Queue[ToDriver | CloseConnection] = asyncio.Queue(OUTBOX)
        self._over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._unanswered = asyncio.Semaphore(UNANSWERED)
        self._heard = monotonic()
        self._bad = 0
        self._waited, self._waited_at = 0, -inf
        self._reading: asyncio.Task[None]
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Raises Closing when it is over. Cancelled when the peer goes."""
        fleet = self._here.fleet
        orders = await fleet.assigned_orders(self._driver.id)
        self.push(
            Welcome(
                wire_driver(self._driver),
                [assigned_order(order) for order in orders],
                rfc3339(self._here.now()),
                fleet.policy(self._driver.id),
            )
        )
        fleet.connect(self._driver.id, self)
        try:
            await self._until_over()
        finally:
            fleet.disconnect(self._driver.id, self)

    async def _until_over(self) -> None:
        code, word = 1011, "our_fault"
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._reading = self._tasks.create_task(self._read())
                for work in (self._write(), self._keep_alive(), self._await_end()):
                    self._tasks.create_task(work)
        except* CloseConnection as group:
            closing = next(error for error in _leaves(group) if isinstance(error, CloseConnection))
            code, word = closing.code, closing.word
            let_go(group)
        raise CloseConnection(code, word)

    async def _await_end(self) -> None:
        raise CloseConnection(*await self._over)

    # --- for the fleet

    def push(self, message: ToDriver) -> None:
        """Sends soon; a driver that does not read is cut."""
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self._end(CloseConnection(4102, "too_slow"))

    def replace(self) -> None:
        self._end(CloseConnection(4009, "replaced"))

    def revoke(self) -> None:
        self._end(CloseConnection(4001, "unauthenticated"))

    async def drain(self) -> None:
        """Reads no more, acknowledges what is in flight, and says 1012."""
        self._reading.cancel()
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                for _ in range(UNANSWERED):
                    await self._unanswered.acquire()
        except TimeoutError:
            log.warning("drain_unanswered", driver=self._driver.id)
        restarting = CloseConnection(1012, "restarting")
        try:
            self._outbox.put_nowait(restarting)
        except asyncio.QueueFull:  # whoever reads nothing will not hear of it behind all that either
            self._end(restarting)

    def _end(self, closing: CloseConnection) -> None:
        if not self._over.done():
            self._over.set_result((closing.code, closing.word))  # and not what it came through

    # --- the four tasks

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._socket.receive()
                if self._outbox.qsize() > OUTBOX // 2:
                    await asyncio.sleep(0)  # what came at once is not answered at once: let some of it go out
                self._heard = inf  # nobody is silent whom we do not listen to
                await self._pace(1)
                await self._take(frame)
                self._heard = monotonic()
        except CloseConnection as closing:
            self._end(closing)
        except Disconnected:
            self._end(_gone())

    async def _write(self) -> None:
        while True:
            message = await self._outbox.get()
            if isinstance(message, CloseConnection):
                self._end(message)
                return
            try:
                await self._socket.send(self._codec.encode(message))
            except Disconnected:
                self._end(_gone())
                return

    async def _keep_alive(self) -> None:
        n = 0
        while (silent := monotonic() - self._heard) < SILENT_AFTER:
            await asyncio.sleep(min(spread(PING_EVERY), SILENT_AFTER - silent))
            n += 1
            self.push(Ping(n))
        self._end(CloseConnection(4104, "silent"))

    async def _pace(self, amount: int) -> None:
        """Reads no further while a driver is over its rate; many small messages in a row are a flood."""
        now = monotonic()
        wait = self._here.fix_rates.take(self._driver.id, amount, now)
        if wait == 0.0 and now - self._waited_at > RESTED:
            self._waited = 0
            return
        self._waited += 1
        if self._waited > FLOOD:
            raise CloseConnection(4103, "rate_limited")
        if wait > 0.0:
            self._waited_at = now
            await asyncio.sleep(wait)

    async def _take(self, frame: str | bytes) -> None:
        try:
            message = decoded(self._codec, frame)
        except Unparsable as error:
            self._bad += 1
            self.push(ErrorReply(None, "bad_message", str(error)))
            if self._bad >= BAD_IN_A_ROW:
                raise CloseConnection(4000, "bad_request") from error
            return
        self._bad = 0
        await self._answer(message)

    async def _answer(self, message: FromDriver | RawFixes) -> None:
        match message:
            case Fixes() | RawFixes():
                await self._take_fixes(message)
            case StatusReport():
                self.push(await report_status(self._here, self._driver, message))
            case DriverNote():
                self.push(await pass_on_note(self._here, self._driver, message))
            case Navigation():
                with suppress(NotFound, StorageUnavailable):  # erased, or it will be said again
                    await self._here.fleet.navigates(self._driver.id, message.arrives_at)
            case Ping():
                self.push(Pong(message.n, rfc3339(self._here.now())))
            case Pong() | Hello():
                pass
            case _:
                assert_never(message)

    # --- fixes

    async def _take_fixes(self, message: Fixes | RawFixes) -> None:
        if len(message.fixes) > FIXES_PER_MESSAGE:
            detail = f"At most {FIXES_PER_MESSAGE} fixes in one message; nothing of this one was stored."
            self.push(ErrorReply(message.id, "too_many_fixes", detail))
            return
        if len(message.fixes) > 1:
            await self._pace(len(message.fixes) - 1)
        await self._unanswered.acquire()
        self._tasks.create_task(self._record(message))

    async def _record(self, message: Fixes | RawFixes) -> None:
        try:
            receipt = await self._stored(message)
            self.push(Ack(message.id, receipt.stored, receipt.duplicates, receipt.rejected))
        finally:
            self._unanswered.release()

    async def _stored(self, message: Fixes | RawFixes) -> Receipt:
        """Judge the message once and record it until the storage takes it.

        What came before a `slow` is still answered.
        """
        fleet, batch = self._here.fleet, None
        while True:
            try:
                batch = batch or await fleet.receive(self._driver, readings(message))
                return await fleet.record(self._driver, batch)
            except StorageUnavailable:
                self.push(Slow())
                await asyncio.sleep(RETRY_STORAGE)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves
