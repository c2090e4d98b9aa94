"""Connection: one WebSocket of a driver, from the handshake to the close."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from driver_sim.client.outbox import Outbox, Report
from driver_sim.client.send_rate import SendRate
from tracker.messages import Ping, Pong, Slow, ToDriver, Welcome

PING_AFTER: Final = 20.0  # seconds without a message; then the client pings
ABORT_AFTER: Final = 45.0  # seconds without a message; then the client aborts the connection

WireFormat = Literal["tracker.v1", "tracker.v1.msgpack"]
"""Subprotocols: JSON in text frames, MessagePack in binary frames."""

_json_decoder = msgspec.json.Decoder(ToDriver)
_msgpack_decoder = msgspec.msgpack.Decoder(ToDriver)


class Connection:
    """Sends from the outbox at the permitted rate, and passes the service's messages to `on_message`."""

    def __init__(
        self,
        websocket: ClientConnection,
        subprotocol: WireFormat,
        outbox: Outbox,
        on_message: Callable[[ToDriver], None],
    ) -> None:
        self._websocket = websocket
        self._subprotocol: Final = subprotocol
        self._outbox = outbox
        self._on_message = on_message
        self._send_rate: SendRate | None = None  # None until `welcome`: nothing may be sent before
        self._to_send = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._received_at = self._clock()
        self._pings = 0

    def wake(self) -> None:
        """Check the outbox for messages to send."""
        self._to_send.set()

    async def run(self) -> None:
        """Send and receive until either side closes the connection."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (self._send_loop(), self._watch_liveness())]
            await self._receive()
            for task in tasks:
                task.cancel()

    async def end(self) -> None:
        """Close the connection with 1000."""
        await self._websocket.close(1000)

    # --- sending

    async def _send_loop(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._to_send.clear()
                await self._send_all()
                await self._to_send.wait()

    async def _send_all(self) -> None:
        while self._send_rate is not None and not self._send_rate.is_slow(self._clock()):
            message = self._outbox.next_message(self._clock())
            if message is None:
                return
            if not isinstance(message, Report):
                await asyncio.sleep(self._send_rate.wait(self._clock(), len(message.fixes)))
            await self._send_message(message)

    async def _send_message(self, message: msgspec.Struct) -> None:
        if self._subprotocol == "tracker.v1":
            await self._websocket.send(msgspec.json.encode(message).decode())
        else:
            await self._websocket.send(msgspec.msgpack.encode(message))

    async def _watch_liveness(self) -> None:
        """Ping after silence, and abort a dead connection. The next one resends what is unacknowledged."""
        with suppress(ConnectionClosed):
            while self._clock() - self._received_at < ABORT_AFTER and not self._outbox.is_overdue(
                self._clock()
            ):
                await asyncio.sleep(1.0)
                if self._clock() - self._received_at > PING_AFTER:
                    self._pings += 1
                    await self._send_message(Ping(self._pings))
        self._websocket.transport.abort()

    # --- receiving

    async def _receive(self) -> None:
        with suppress(ConnectionClosed):
            async for raw in self._websocket:
                self._received_at = self._clock()
                with suppress(msgspec.MsgspecError):  # a message type of a later version
                    await self._handle(_decode(raw))

    async def _handle(self, message: ToDriver) -> None:
        match message:
            case Welcome():
                self._start_sending(message)
            case Slow(retry_s):
                self._pause_sending(retry_s)
            case Ping(n):
                await self._send_message(Pong(n))
        self._on_message(message)
        self.wake()

    def _start_sending(self, welcome: Welcome) -> None:
        """Requeue what is unacknowledged and start sending at the service's rate."""
        self._outbox.batch_size = min(self._outbox.batch_size, welcome.limits.fixes_per_message)
        self._outbox.requeue()
        self._send_rate = SendRate(welcome.limits.fixes_per_s)

    def _pause_sending(self, retry_s: float) -> None:
        """Stop sending for *retry_s* seconds. The service still answers what is in flight."""
        if self._send_rate is not None:
            self._send_rate.slow_down(self._clock(), retry_s)
            asyncio.get_running_loop().call_later(retry_s + 0.001, self._resume)

    def _resume(self) -> None:
        """Continue to send, unless another `slow` has arrived."""
        if self._send_rate is not None and not self._send_rate.is_slow(self._clock()):
            self._outbox.resume()
            self.wake()


def _decode(frame: str | bytes) -> ToDriver:
    """Decode a text frame as JSON and a binary frame as MessagePack. Raises msgspec.MsgspecError."""
    message: ToDriver = (
        _json_decoder.decode(frame) if isinstance(frame, str) else _msgpack_decoder.decode(frame)
    )
    return message
