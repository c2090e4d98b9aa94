"""DriverClient: one driver's connection to the service. Loses nothing that was added, doubles nothing.

client = DriverClient("https://tracker.example", token)
async with asyncio.TaskGroup() as tasks:
    tasks.create_task(client.run())
    client.add(fix)                      # never blocks; kept until the service has stored it
    await client.report(order_id, "picked_up")
    await client.close()                 # after a last flush
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Final, Literal

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from driver_sim.client.connection import Connection
from driver_sim.client.outbox import Outbox, Report
from driver_sim.client.pending_reports import PendingReports, ReportRefused
from driver_sim.client.reconnect import Next, Stopped, after_close, after_refusal, explain, pause
from driver_sim.urls import is_local, stream_uri
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.track import Fix
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

SUBPROTOCOL: Final = Subprotocol("tracker.v1")
LASTING: Final = 20.0  # seconds after which a connection was of use, even if nothing was acknowledged
FLUSH: Final = 10.0  # seconds for what is unacknowledged when we leave


class DriverClient:
    """Keeps what is unacknowledged, connects again as the close codes ask, and counts."""

    def __init__(self, url: str, token: str, *, random: Random | None = None) -> None:
        """`url`: the service's address, http(s)://…; nothing happens before `run`."""
        self.outbox = Outbox()
        self.orders: tuple[AssignedOrder, ...] = ()  # as the service last told, in stop sequence
        self.policy = Policy()
        self.connections = 0
        self.connected = False
        self.last_trouble = ""
        self.latencies: deque[float] = deque(maxlen=1_000)  # seconds from sending to ack
        self.on_note: Callable[[NoteToDriver], None] = lambda note: None
        self._uri = stream_uri(url)
        self._token = token
        self._random = random or Random()
        self._answers = PendingReports()
        self._left = asyncio.Event()  # ends a pause
        self._news = asyncio.Event()  # orders, acks or the connection changed
        self._closing = False
        self._conversation: Connection | None = None
        self._stopped: Stopped | None = None

    # --- for the driver

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)

    def add(self, fix: Fix) -> None:
        """Sends when possible; kept until acknowledged."""
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
        """Returns when the service has it. Raises ReportRefused, or Stopped where the connection is over."""
        await self._answered(StatusReport(self.outbox.next_id(), order_id, status, reason, at))

    async def say(self, order_id: str, text: str) -> None:
        """A message to the customer; returns and raises as `report`."""
        await self._answered(DriverNote(self.outbox.next_id(), order_id, text))

    async def wait_for_news(self, within: float) -> bool:
        """Whether orders, acks or the connection changed within so many seconds."""
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), within)
        except TimeoutError:
            return False
        return True

    async def flush(self, within: float = FLUSH) -> bool:
        """Whether everything was acknowledged within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.outbox.empty and self._stopped is None:
                    await self.wait_for_news(within)
        return self.outbox.empty

    async def close(self, within: float = FLUSH) -> bool:
        """Flushes, then ends the connection with 1000 and `run` with it; whether all was acknowledged."""
        flushed = await self.flush(within)
        self._closing = True
        self._left.set()
        if self._conversation is not None:
            await self._conversation.end()
        return flushed

    def latency(self, share: float) -> float | None:
        """Seconds to the ack that `share` of the last thousand did not exceed; None before the first."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    # --- the connection

    async def run(self) -> None:
        """Connected until `close`. Raises Stopped where the service does not want us back."""
        attempt = 0
        try:
            while not self._closing:
                then, was_good = await self._once()
                if self._closing:
                    return
                attempt = 0 if was_good else attempt + 1
                await self._rest(pause(then, attempt, self._random))
        except Stopped as stopped:
            self._stopped = stopped
            self._answers.fail_all(stopped)
            raise
        finally:
            self._news.set()

    async def _rest(self, seconds: float) -> None:
        """A pause that `close` ends."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), seconds)

    async def _once(self) -> tuple[Next, bool]:
        """One connection from beginning to end: what to do next, and whether it was of use."""
        clock = asyncio.get_running_loop().time
        began, acked = clock(), self.outbox.counts["acked"]
        try:
            code, reason = await self._converse()
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            return self._decide(after_refusal(status), status, "the service refused the connection"), False
        except (OSError, TimeoutError, InvalidHandshake) as error:
            self.last_trouble = str(error) or type(error).__name__
            return Next.RETRY, False
        was_good = self.outbox.counts["acked"] > acked or clock() - began > LASTING
        return self._decide(after_close(code), code, reason), was_good

    def _decide(self, then: Next, code: int, reason: str) -> Next:
        self.last_trouble = explain(code, reason)
        if then is Next.STOP and not self._closing:
            raise Stopped(code, reason)
        return then

    async def _converse(self) -> tuple[int, str]:
        """Connects and talks until the connection ends; how it was closed (1006: without a word)."""
        async with self._connect() as websocket:
            self._conversation = Connection(websocket, self.outbox, self._take)
            try:
                if not self._closing:
                    await self._conversation.run()
            finally:
                self.connected = False
                self._conversation = None
                self._news.set()
        return websocket.close_code or 1006, websocket.close_reason or ""

    def _connect(self) -> connect:
        return connect(
            self._uri,
            subprotocols=[SUBPROTOCOL],
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            ping_interval=None,  # the protocol has its own
            proxy=None if is_local(self._uri) else True,
            close_timeout=3,
        )

    # --- what the service says

    def _take(self, message: ToDriver) -> None:
        match message:
            case Ack():
                self._acknowledged(message)
            case Welcome():
                self.connected = True
                self.connections += 1
                self.orders = tuple(message.orders)
                self.policy = message.policy
            case Orders(orders):
                self.orders = tuple(orders)
            case PolicyChange(policy):
                self.policy = policy
            case ErrorReply():
                self._refused(message)
            case NoteToDriver():
                self.on_note(message)
        self._news.set()

    def _acknowledged(self, ack: Ack) -> None:
        took = self.outbox.acknowledged(ack, asyncio.get_running_loop().time())
        if took is not None:
            self.latencies.append(took)
        self._answers.succeed(ack.id)

    def _refused(self, error: ErrorReply) -> None:
        self.last_trouble = f"{error.code}: {error.detail}"
        if self.outbox.refused(error.id, error.code) == "acknowledged":
            self._answers.succeed(error.id)
        else:
            self._answers.fail(error.id, ReportRefused(error.code, error.detail))

    async def _answered(self, report: Report) -> None:
        if self._stopped is not None:
            raise self._stopped
        answer = self._answers.expect(report.id)
        self.outbox.report(report)
        self._wake()
        await answer

    def _wake(self) -> None:
        if self._conversation is not None:
            self._conversation.wake()
