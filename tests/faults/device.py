"""Device: a driver's phone that knows nothing but the contract. It keeps every fix until it is acknowledged.

It is a witness, so it shares no code with the product's own client.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import cos, sin
from random import Random
from time import monotonic
from typing import Any, Final

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from tests.faults.ledger import NO_SKEW, Ledger, Made

CHUNK: Final = 200  # fixes in a message of the backlog
IN_FLIGHT: Final = 4  # messages
ANSWER_WITHIN: Final = 45.0  # seconds, as the contract says; then it is sent again on a new connection
OPEN_WITHIN: Final = 10.0
LONGEST_PAUSE: Final = 2.0  # seconds; impatient, so that a minute holds many faults
HTTP_WITHIN: Final = 10.0
HOME: Final = (60.1713, 24.9440)  # near its order's pickup
RADIUS: Final = 0.001  # degrees: it goes round and round there


class Device:
    """One driver's: makes fixes, sends them over the socket and by HTTP, and keeps the ledger."""

    def __init__(
        self, driver_id: str, token: str, port: int, random: Random, home: tuple[float, float] = HOME
    ) -> None:
        self.driver_id = driver_id
        self._home = home
        self.ledger = Ledger()
        self.skew = NO_SKEW
        self.closes: list[int] = []  # close codes, and HTTP statuses of refusals
        self.acks: list[tuple[float, int]] = []  # when (monotonic), and how many it says are stored
        self.slows: list[float] = []
        self.duplicates = 0
        self.connected = False
        self.stopped = False  # told not to come back
        self.trusting: ssl.SSLContext | None = None  # where a balancer ends TLS
        self._token = token
        self._port = port
        self._random = random
        self._number = 0
        self._began = datetime.now(UTC)
        self._waiting: deque[int] = deque()  # not yet sent on this connection
        self._in_flight: dict[int, tuple[list[int], float]] = {}
        self._message_id = 0
        self._slow_until = 0.0
        self._wake = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._socket: ClientConnection | None = None

    # --- fixes

    @property
    def unacknowledged(self) -> set[int]:
        return set(self.ledger.made) - self.ledger.acked - set(self.ledger.rejected)

    def make(self, at: datetime | None = None) -> Made:
        """A new fix, of now or of an earlier time; sent as soon as that is possible."""
        fix = self.ledger.enter(self._reading(at or datetime.now(UTC)))
        self._waiting.append(fix.number)
        self._wake.set()
        return fix

    def make_backlog(self, count: int, begin: datetime, every: timedelta) -> None:
        """What a device gathers in a dead zone."""
        for number in range(count):
            self.make(begin + number * every)

    def _reading(self, true_time: datetime) -> Made:
        self._number += 1
        number = self._number
        at = true_time + self.skew
        while self.ledger.has_key(at):
            at += timedelta(microseconds=1)
        turn = (true_time - self._began).total_seconds() * 4.0 / 111.0  # about 4 m/s on a circle of 111 m
        return Made(
            number=number,
            recorded_at=at,
            lat=round(self._home[0] + RADIUS * sin(turn), 6),
            lon=round(self._home[1] + 2 * RADIUS * cos(turn), 6) + number * 1e-12,
            accuracy=5.0 + number % 7,
            speed=4.0 + number % 3 / 10,
            heading=float(number % 360),
            altitude=number % 4_000 / 10,
            battery=(number % 100) / 100,
            skew=self.skew,
        )

    # --- the connection

    async def run(self) -> None:
        """Connects again and again until it is told not to, or cancelled."""
        attempt = 0
        while not self.stopped:
            before = len(self.acks)
            with suppress(OSError, TimeoutError, WebSocketException):
                await self._converse()
            attempt = 0 if len(self.acks) > before else attempt + 1
            longest = min(LONGEST_PAUSE, 0.25 * 2 ** min(attempt, 5))
            await asyncio.sleep(self._random.uniform(0.05, longest))  # simulates a phone's back-off

    async def _converse(self) -> None:
        try:
            async with self._connect() as socket:
                with suppress(ConnectionClosed):
                    await self._talk(socket)
            self._closed(socket.close_code or 1006)
        except InvalidStatus as refused:
            self._closed(refused.response.status_code)

    def _connect(self) -> connect:
        return connect(
            f"{'ws' if self.trusting is None else 'wss'}://127.0.0.1:{self._port}/v1/drivers/stream",
            ssl=self.trusting,
            subprotocols=[Subprotocol("tracker.v1")],
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            ping_interval=None,
            open_timeout=OPEN_WITHIN,
            close_timeout=1,
            proxy=None,
        )

    def _closed(self, code: int) -> None:
        self.closes.append(code)
        if code in {401, 403, 404} or code == 1000 or 4000 <= code <= 4099:
            self.stopped = True

    async def _talk(self, socket: ClientConnection) -> None:
        sender: asyncio.Task[None] | None = None
        self._in_flight.clear()
        watch = asyncio.create_task(self._watch(socket))
        try:
            async for raw in socket:
                self._heard_at = monotonic()
                message = msgspec.json.decode(raw)
                if message["type"] == "welcome" and sender is None:
                    sender = asyncio.create_task(self._send(socket))
                await self._hear(socket, message)
        finally:
            self.connected, self._socket = False, None
            for task in (watch, sender):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            for answer in self._answers.values():
                answer.cancel()

    async def _watch(self, socket: ClientConnection) -> None:
        """A peer that says nothing for 45 s is dead, and so is one that does not answer."""
        self._heard_at = monotonic()
        while True:
            await asyncio.sleep(1.0)  # simulates a phone's timer
            oldest = min((since for _, since in self._in_flight.values()), default=monotonic())
            if monotonic() - min(self._heard_at, oldest) > ANSWER_WITHIN:
                socket.transport.abort()
                return

    async def _hear(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "welcome":
                self.connected, self._socket = True, socket
            case "ack" | "error" if message.get("id") in self._answers:
                self._answers.pop(message["id"]).set_result(message)
            case "ack":
                self._acknowledged(message)
            case "error":
                self.ledger.faults.append(f"an error came for good fixes: {message.get('code')}")
            case "slow":
                self.slows.append(monotonic())
                self._slow_until = monotonic() + message["retry_s"]
            case "ping":
                await socket.send(msgspec.json.encode({"type": "pong", "n": message["n"]}).decode())

    def _acknowledged(self, ack: dict[str, Any]) -> None:
        numbers, _ = self._in_flight.pop(ack["id"], ([], 0.0))
        if not numbers:
            self.ledger.faults.append("an ack for a message that was not under way")
            return
        self.ledger.acknowledged(numbers, ack)
        self.duplicates += ack["duplicates"]
        self.acks.append((monotonic(), ack["stored"] + ack["duplicates"]))
        self._wake.set()

    # --- sending

    async def _send(self, socket: ClientConnection) -> None:
        """The newest fix first, then the backlog, oldest first; what was acknowledged never again."""
        self._waiting = deque(
            sorted(self.unacknowledged, key=lambda number: self.ledger.made[number].recorded_at)
        )
        if self._waiting:
            await self._send_fixes(socket, [self._waiting.pop()])
        while True:
            self._wake.clear()
            while self._waiting and len(self._in_flight) < IN_FLIGHT and monotonic() >= self._slow_until:
                numbers = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
                if self._random.random() < 0.2:
                    self._random.shuffle(numbers)  # within a message any order is good
                await self._send_fixes(socket, numbers)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.05, self._slow_until - monotonic()))

    async def _send_fixes(self, socket: ClientConnection, numbers: list[int]) -> None:
        self._message_id += 1
        self._in_flight[self._message_id] = (numbers, monotonic())
        await socket.send(self._message(self._message_id, numbers).decode())

    def _message(self, message_id: int, numbers: Sequence[int]) -> bytes:
        fixes = [self.ledger.made[number].wire() for number in numbers]
        return msgspec.json.encode({"type": "fixes", "id": message_id, "fixes": fixes})

    async def send_by_http(self, http: httpx.AsyncClient, numbers: list[int]) -> None:
        """The same fixes another way; an answer counts like an ack, silence like a lost connection."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self._port}/v1/drivers/fixes"
        with suppress(httpx.HTTPError):
            answer = await http.post(
                url, content=self._message(0, numbers), headers=headers, timeout=HTTP_WITHIN
            )
            if answer.status_code == 200:
                self.ledger.acknowledged(numbers, answer.json())
                said = answer.json()
                self.acks.append((monotonic(), said["stored"] + said["duplicates"]))

    async def send_again(self) -> None:
        """A batch that was acknowledged before, as by a device that lost the answer; and one of its keys with
        other content: the first stands."""
        known = sorted(self.ledger.acked - self.ledger.impostors)[-20:]
        if self._socket is None or not known:
            return
        original = self.ledger.made[known[0]]
        self._number += 1
        lon = original.lon + self._number * 1e-9
        other = msgspec.structs.replace(original, number=self._number, lon=lon, speed=9.0)
        self.ledger.enter(other, impostor=True)
        with suppress(WebSocketException, OSError):
            await self._send_fixes(self._socket, [*known, other.number])

    async def ask(self, **message: object) -> dict[str, Any] | None:
        """Sends a message of another kind; the answer, or None where the connection went before it came."""
        if self._socket is None:
            return None
        self._message_id += 1
        answer = self._answers[self._message_id] = asyncio.get_running_loop().create_future()
        with suppress(WebSocketException, OSError, TimeoutError, asyncio.CancelledError):
            await self._socket.send(msgspec.json.encode({**message, "id": self._message_id}).decode())
            return await asyncio.wait_for(answer, 10.0)
        return None
