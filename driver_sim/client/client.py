"""DriverClient: a driver's connection to the service. Delivers every fix, and stores none twice.

client = DriverClient("https://tracker.example", token)
async with asyncio.TaskGroup() as tasks:
    tasks.create_task(client.run())
    client.add(fix)                      # never blocks; the client keeps it until its ack
    await client.report(order_id, "picked_up")
    await client.close()                 # flushes first
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Final, Literal

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from driver_sim.client.connection import Connection, WireFormat
from driver_sim.client.outbox import OnStored, Outbox, Report
from driver_sim.client.pending_reports import PendingReports, ReportRejected
from driver_sim.client.reconnect import (
    CloseAction,
    PermanentDisconnect,
    after_close,
    after_http_error,
    announced_pause,
    describe_close,
    pause,
)
from driver_sim.urls import is_local, socket_uri
from tracker.domain.driver.role import Role
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix
from tracker.messages import (
    Ack,
    AssignedOrder,
    DriverNote,
    ErrorReply,
    NoteToDriver,
    Orders,
    PolicyChange,
    StatusReport,
    ToDriver,
    Welcome,
)

STABLE_AFTER: Final = 20.0  # seconds; a longer connection resets the back-off, even without an ack
FLUSH_TIMEOUT: Final = 10.0  # seconds to wait for outstanding acks before closing


class DriverClient:
    """Buffers fixes and reports until their acks, and reconnects as the close codes require."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        random: Random | None = None,
        subprotocol: WireFormat = "tracker.v1",
        role: Role = "source",
    ) -> None:
        """Create a client of the service at *url* (http or https). `run` connects it."""
        self.outbox = Outbox()
        self.orders: tuple[AssignedOrder, ...] = ()  # the latest from the service, in stop sequence
        self.policy = Policy()
        self.connections = 0
        self.connected = False
        self.last_error = ""
        self.latencies: deque[float] = deque(maxlen=1_000)  # seconds from sending to ack; the last thousand
        self.on_note: Callable[[NoteToDriver], None] = lambda note: None
        self.on_stored: OnStored = lambda fixes: None
        self._uri = socket_uri(url, "/v1/drivers/stream", f"role={role}")
        self._format: Final = subprotocol
        self._token = token
        self._random = random or Random()
        self._pending_reports = PendingReports()
        self._heard: set[tuple[str, str]] = set()  # order and time of the notes of the present orders
        self._closing_event = asyncio.Event()  # ends a pause
        self._changed = asyncio.Event()  # orders, acks or the connection changed
        self._closing = False
        self._connection: Connection | None = None
        self._disconnect: PermanentDisconnect | None = None

    # --- for the driver

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)

    @property
    def counts(self) -> Counter[str]:
        """Fixes by what became of them: sent (each once), acked, duplicates, rejected."""
        return self.outbox.counts

    @property
    def unacked(self) -> int:
        """The number of fixes without an ack."""
        return self.outbox.unacked

    def add(self, fix: Fix) -> None:
        """Queue a fix, and keep it until its ack."""
        self.outbox.add(fix)
        self._wake()

    async def report(
        self,
        order_id: str,
        status: Literal["picked_up", "delivered", "failed"],
        *,
        reason: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Report a status, and return when the service has stored it.

        Raises ReportRejected, PermanentDisconnect.
        """
        await self._send_report(StatusReport(self.outbox.next_id(), order_id, status, reason, at))

    async def send_note(self, order_id: str, text: str) -> None:
        """Send a note to the customer, and return when the service has stored it.

        Raises ReportRejected, PermanentDisconnect.
        """
        await self._send_report(DriverNote(self.outbox.next_id(), order_id, text))

    async def wait_for_change(self, timeout_s: float) -> bool:
        """Wait for new orders, acks or a change of the connection. Return False on timeout."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def flush(self, timeout_s: float = FLUSH_TIMEOUT) -> bool:
        """Wait until the service has acknowledged everything. Return False on timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.outbox.empty and self._disconnect is None:
                    await self.wait_for_change(timeout_s)
        return self.outbox.empty

    async def close(self, timeout_s: float = FLUSH_TIMEOUT) -> bool:
        """Flush, close the connection with 1000 and end `run`. Return whether everything was acknowledged."""
        flushed = await self.flush(timeout_s)
        self._closing = True
        self._closing_event.set()
        if self._connection is not None:
            await self._connection.end()
        return flushed

    # --- the connection

    async def run(self) -> None:
        """Stay connected until `close`. Raises PermanentDisconnect if the service forbids reconnecting."""
        attempt = 0
        try:
            while not self._closing:
                action, was_stable, announced = await self._connect_once()
                if self._closing:
                    return
                attempt = 0 if was_stable else attempt + 1
                await self._pause(pause(action, attempt, self._random, announced))
        except PermanentDisconnect as disconnect:
            self._disconnect = disconnect
            self._pending_reports.fail_all(disconnect)
            raise
        finally:
            self._changed.set()

    async def _pause(self, seconds: float) -> None:
        """Sleep. `close` ends the sleep early."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing_event.wait(), seconds)

    async def _connect_once(self) -> tuple[CloseAction, bool, float | None]:
        """Run one connection.

        Return what to do next, whether the connection resets the back-off, and the pause that the service
        asks for.
        """
        clock = asyncio.get_running_loop().time
        started, acked = clock(), self.outbox.counts["acked"]
        try:
            code, reason = await self._run_connection()
        except InvalidStatus as error:
            status = error.response.status_code
            action = self._next_action(after_http_error(status), status, "the service refused the connection")
            return action, False, None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            self.last_error = str(error) or type(error).__name__
            return CloseAction.RETRY, False, None
        was_stable = self.outbox.counts["acked"] > acked or clock() - started > STABLE_AFTER
        return self._next_action(after_close(code), code, reason), was_stable, announced_pause(reason)

    def _next_action(self, action: CloseAction, code: int, reason: str) -> CloseAction:
        self.last_error = describe_close(code, reason)
        if action is CloseAction.STOP and not self._closing:
            raise PermanentDisconnect(code, reason)
        return action

    async def _run_connection(self) -> tuple[int, str]:
        """Run one connection. Return its close code (1006 without a close frame) and reason."""
        async with self._connect() as websocket:
            self._connection = Connection(websocket, self._format, self.outbox, self._handle)
            try:
                if not self._closing:
                    await self._connection.run()
            finally:
                self.connected = False
                self._connection = None
                self._changed.set()
        return websocket.close_code or 1006, websocket.close_reason or ""

    def _connect(self) -> connect:
        return connect(
            self._uri,
            subprotocols=[Subprotocol(self._format)],
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            ping_interval=None,  # the protocol has its own pings
            proxy=None if is_local(self._uri) else True,
            close_timeout=3,
        )

    # --- messages from the service

    def _handle(self, message: ToDriver) -> None:
        match message:
            case Ack():
                self._handle_ack(message)
            case Welcome():
                self.connected = True
                self.connections += 1
                self._take_orders(message.orders)
                self.policy = message.policy
            case Orders(orders):
                self._take_orders(orders)
            case PolicyChange(policy):
                self.policy = policy
            case ErrorReply():
                self._handle_error(message)
            case NoteToDriver():
                self._hear(message)
        self._changed.set()

    def _take_orders(self, orders: Sequence[AssignedOrder]) -> None:
        """Keep the orders, and hear the notes that came while this client was disconnected."""
        self.orders = tuple(orders)
        ids = {order.id for order in orders}
        self._heard = {(order_id, at) for order_id, at in self._heard if order_id in ids}
        for order in orders:
            for note in order.notes:
                self._hear(NoteToDriver(order.id, note.text, note.at))

    def _hear(self, note: NoteToDriver) -> None:
        """Pass each note on once; the service repeats them in the orders."""
        if (note.order_id, note.at) not in self._heard:
            self._heard.add((note.order_id, note.at))
            self.on_note(note)

    def _handle_ack(self, ack: Ack) -> None:
        sent = self.outbox.acknowledge(ack)
        if sent is not None:
            self.latencies.append(asyncio.get_running_loop().time() - sent.at)
            self.on_stored(sent.fixes)
        self._pending_reports.succeed(ack.id)

    def _handle_error(self, error: ErrorReply) -> None:
        self.last_error = f"{error.code}: {error.detail}"
        if self.outbox.reject(error.id, error.code) == "acknowledged":
            self._pending_reports.succeed(error.id)
        else:
            self._pending_reports.fail(error.id, ReportRejected(error.code, error.detail))

    async def _send_report(self, report: Report) -> None:
        if self._disconnect is not None:
            raise self._disconnect
        pending = self._pending_reports.expect(report.id)
        self.outbox.report(report)
        self._wake()
        await pending

    def _wake(self) -> None:
        if self._connection is not None:
            self._connection.wake()
