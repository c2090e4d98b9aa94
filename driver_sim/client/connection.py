"""Conversation: one connection of a driver, from the handshake to its end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from driver_sim.client.outbox import Outbox, Report
from driver_sim.client.send_rate import SendRate
from tracker.messages import Ping, Pong, Slow, ToDriver, Welcome

QUIET: Final = 20.0  # seconds without a word before we ask
DEAD: Final = 45.0  # seconds without a word after which the connection is given up

_decoder = msgspec.json.Decoder(ToDriver)
_encoder = msgspec.json.Encoder()


class Connection:
    """Sends what the outbox holds as fast as the service allows, and passes on what it says."""

    def __init__(self, websocket: ClientConnection, outbox: Outbox, take: Callable[[ToDriver], None]) -> None:
        self._websocket = websocket
        self._outbox = outbox
        self._take = take
        self._pace: SendRate | None = None  # until we are welcomed nothing is sent
        self._to_send = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()
        self._pings = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._to_send.set()

    async def run(self) -> None:
        """Returns when the connection is closed, by whomever."""
        async with asyncio.TaskGroup() as talking:
            tasks = [talking.create_task(work) for work in (self._send(), self._watch())]
            await self._receive()
            for task in tasks:
                task.cancel()

    async def end(self) -> None:
        """Says that we leave."""
        await self._websocket.close(1000)

    # --- sending

    async def _send(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._to_send.clear()
                await self._send_all()
                await self._to_send.wait()

    async def _send_all(self) -> None:
        while self._pace is not None and not self._pace.is_slow(self._clock()):
            message = self._outbox.next_message(self._clock())
            if message is None:
                return
            if not isinstance(message, Report):
                await asyncio.sleep(self._pace.wait(self._clock(), len(message.fixes)))
            await self._say(message)

    async def _say(self, message: msgspec.Struct) -> None:
        await self._websocket.send(_encoder.encode(message).decode())

    async def _watch(self) -> None:
        """Asks after silence, and gives up a connection that stays silent: the next one sends all again."""
        with suppress(ConnectionClosed):
            while self._clock() - self._heard_at < DEAD and not self._outbox.overdue(self._clock()):
                await asyncio.sleep(1.0)
                if self._clock() - self._heard_at > QUIET:
                    self._pings += 1
                    await self._say(Ping(self._pings))
        self._websocket.transport.abort()

    # --- receiving

    async def _receive(self) -> None:
        with suppress(ConnectionClosed):
            async for raw in self._websocket:
                self._heard_at = self._clock()
                with suppress(msgspec.MsgspecError):  # a message of a later version
                    await self._hear(_decoder.decode(raw))

    async def _hear(self, message: ToDriver) -> None:
        match message:
            case Welcome():
                self._welcomed(message)
            case Slow(retry_s):
                self._slow_down(retry_s)
            case Ping(n):
                await self._say(Pong(n))
        self._take(message)
        self.wake()

    def _welcomed(self, welcome: Welcome) -> None:
        """Only now may we send: what is unacknowledged, in the order that a break asks for."""
        self._outbox.chunk = min(self._outbox.chunk, welcome.limits.fixes_per_message)
        self._outbox.start_over()
        self._pace = SendRate(welcome.limits.fixes_per_s)

    def _slow_down(self, retry_s: float) -> None:
        """Keeps buffering for so long; what is on its way is still answered."""
        if self._pace is not None:
            self._pace.slow_down(self._clock(), retry_s)
            asyncio.get_running_loop().call_later(retry_s + 0.001, self._resume)

    def _resume(self) -> None:
        """Unless another `slow` has come since."""
        if self._pace is not None and not self._pace.is_slow(self._clock()):
            self._outbox.resume()
            self.wake()
