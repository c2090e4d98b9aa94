"""PlainConnection: Quart's own side of a WebSocket, read no faster than its endpoint reads."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from quart import Websocket
from quart.asgi import ASGIWebsocketConnection

from tracker.websocket.receive_queue import BYTES, MESSAGES

ROOM: Final = "tracker.room"  # in the scope's extensions
LOOK_EVERY: Final = 0.5  # seconds; whether a peer that we do not listen to is still there


class ReceiveWindow:
    """For messages that have come and were not taken yet; Quart would keep any number."""

    def __init__(self, has_left: Callable[[], bool], cut: Callable[[], None]) -> None:
        """`cut` ends the connection without a word."""
        self._has_left, self.cut = has_left, cut
        self._messages = self._size = 0
        self._is_open = False
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Until another message may wait; a peer that has left is let go: its endpoint may wait for that."""
        while not self._is_open and self._is_full and not self._has_left():
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._changed.wait()

    @property
    def _is_full(self) -> bool:
        return self._messages >= MESSAGES or self._size >= BYTES

    def fill(self, message: str | bytes) -> None:
        self._messages += 1
        self._size += len(message)

    def free(self, message: str | bytes) -> None:
        """It was taken."""
        self._messages -= 1
        self._size -= len(message)
        self._changed.set()

    def open(self) -> None:
        """Nobody takes anything any more: what still comes must not hold up the goodbye behind it."""
        self._is_open = True
        self._changed.set()


def room_of(scope: Mapping[str, Any]) -> ReceiveWindow:
    """That of the connection with this scope."""
    room: ReceiveWindow = scope["extensions"][ROOM]
    return room


class PlainConnection(ASGIWebsocketConnection):
    """Quart's side of a WebSocket that stays with the server."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        room = ReceiveWindow(partial(_has_left, send), partial(_cut, send))
        extensions: dict[str, Any] = {**(self.scope.get("extensions") or {}), ROOM: room}
        self.scope["extensions"] = extensions

        async def receive_in_step() -> Any:
            await room.wait()
            event = await receive()
            if event["type"] == "websocket.receive":
                room.fill(event.get("bytes") or event.get("text") or b"")
            return event

        try:
            await super().__call__(receive_in_step, send)
        finally:
            del extensions[ROOM]

    async def handle_websocket(self, websocket: Websocket, send: Callable[..., Any]) -> None:
        try:
            await super().handle_websocket(websocket, send)
        finally:
            room_of(self.scope).open()


def _has_left(send: Callable[..., Any]) -> bool:
    """As far as Hypercorn's stream behind this `send` knows; other servers never wait for their app."""
    transport = _transport(send)
    is_closed: bool = getattr(getattr(send, "__self__", None), "closed", False)
    return is_closed or (transport is not None and transport.is_closing())


def _cut(send: Callable[..., Any]) -> None:
    """With another server nothing happens: it must end those who take nothing by itself."""
    if (transport := _transport(send)) is not None:
        transport.abort()


def _transport(send: Callable[..., Any]) -> asyncio.Transport | None:
    """What Hypercorn's stream behind this `send` writes to."""
    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    writer = getattr(getattr(getattr(protocol, "send", None), "__self__", None), "writer", None)
    transport: asyncio.Transport | None = getattr(writer, "transport", None)
    return transport
