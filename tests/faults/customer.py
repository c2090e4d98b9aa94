"""Customer: somebody who watches an order by its link, and notes when what is shown breaks a promise."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random
from time import monotonic
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from tests.waiting import becomes_true

LIVE_FOR: Final = 17.0  # seconds: the devices report several times a second, and the timer has a second
SILENT_AFTER: Final = 45.0  # seconds; heartbeats come every 20
LONGEST_PAUSE: Final = 2.0


class Customer:
    """Keeps the newest state; comes back with its cursor after every break."""

    def __init__(self, token: str, port: int, random: Random, starts: Callable[[], int]) -> None:
        """`starts`: how often the service was started. What it showed before its commit dies with it, so
        after a kill the marker may stand, until the driver's next message, where it was last stored."""
        self.state: dict[str, Any] = {}
        self.end: str | None = None
        self.faults: list[str] = []
        self.statuses: list[str] = []
        self.connections = 0
        self.closes: list[int] = []
        self.waits: list[float] = []  # seconds between two new positions
        self.trusting: ssl.SSLContext | None = None  # where a balancer ends TLS
        self._moved_at = 0.0
        self.port = port
        self._token, self._random = token, random
        self._starts = starts
        self._shown_at = ""  # recorded_at of the newest position that was shown
        self._shown_by = 0  # which start of the service showed it

    @property
    def shows(self) -> str | None:
        """`recorded_at` of the position on its map."""
        position = self.state.get("position")
        return None if position is None else str(position["recorded_at"])

    @property
    def is_out(self) -> bool:
        """Whether it was told the end, or is refused."""
        return self.end is not None or 404 in self.closes

    @property
    def status(self) -> str:
        return str(self.state.get("order", {}).get("status"))

    async def run(self) -> None:
        """Until the end was told, or cancelled."""
        attempt = 0
        while self.end is None:
            attempt += 1
            with suppress(OSError, TimeoutError, WebSocketException):
                attempt = await self._watch(attempt)
            if self.end is None:
                longest = min(LONGEST_PAUSE, 0.25 * 2 ** min(attempt, 5))
                await asyncio.sleep(self._random.uniform(0.05, longest))  # simulates a page's back-off

    async def _watch(self, attempt: int) -> int:
        query = f"?cursor={self.state['cursor']}" if self.state else ""
        scheme = "ws" if self.trusting is None else "wss"
        url = f"{scheme}://127.0.0.1:{self.port}/v1/track/{self._token}/stream{query}"
        try:
            async with connect(
                url, ssl=self.trusting, compression=None, ping_interval=None, close_timeout=1, proxy=None
            ) as socket:
                self.connections += 1
                async with asyncio.timeout(None) as patience:
                    with suppress(ConnectionClosed):
                        await self._listen(socket, patience)
            self.closes.append(socket.close_code or 1006)
        except InvalidStatus as refused:
            self.closes.append(refused.response.status_code)
            if refused.response.status_code == 404:
                self.faults.append("a good link was refused")
            return attempt
        return 0

    async def _listen(self, socket: ClientConnection, patience: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        patience.reschedule(loop.time() + SILENT_AFTER)
        async for raw in socket:
            patience.reschedule(loop.time() + SILENT_AFTER)
            self._hear(msgspec.json.decode(raw))

    def _hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "snapshot":
                self.state = message
            case "update":
                self.state |= message
            case "end":
                self.end = message["reason"]
        self._check(message)

    def _check(self, message: dict[str, Any]) -> None:
        if "order" in message and (not self.statuses or self.statuses[-1] != self.status):
            self.statuses.append(self.status)
        if self.status in {"delivered", "failed", "cancelled"} and self.shows is not None:
            self.faults.append("a position is shown after the end")
        if self.shows is not None:
            if self.shows < self._shown_at and self._shown_by == self._starts():
                self.faults.append(f"the marker went back in time ({message['type']})")
            if self.shows > self._shown_at:
                self._note_wait()
            self._shown_at, self._shown_by = self.shows, self._starts()
            if "freshness" in message or "position" in message:
                self._check_age(message["now"])

    def _note_wait(self) -> None:
        before, self._moved_at = self._moved_at, monotonic()
        if before:
            self.waits.append(self._moved_at - before)

    def _check_age(self, now: str) -> None:
        age = (datetime.fromisoformat(now) - datetime.fromisoformat(self._shown_at)).total_seconds()
        if self.state["freshness"] == "live" and age > LIVE_FOR:
            self.faults.append(f"a position of {age:.0f} s ago is called live")

    async def until_shows(self, recorded_at: str, within: float) -> bool:
        """Whether it came to show a position at least that new."""
        return await becomes_true(lambda: (self.shows or "") >= recorded_at, within)
