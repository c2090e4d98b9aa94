"""PlainConnection: Quart's own WebSocket connection, read no faster than its endpoint receives."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from quart import Websocket
from quart.asgi import ASGIWebsocketConnection

from tracker.websocket.receive_queue import BYTES, MESSAGES

WINDOW: Final = "tracker.receive_window"  # in the scope's extensions
CHECK_EVERY: Final = 0.5  # seconds between checks whether the peer is connected while reading is paused


class ReceiveWindow:
    """A bound on the messages that wait for the endpoint; Quart itself queues any number."""

    def __init__(self, has_left: Callable[[], bool], reset: Callable[[], None]) -> None:
        """*has_left* says whether the peer is gone; *reset* resets the connection."""
        self._has_left, self.reset = has_left, reset
        self._messages = self._size = 0
        self._is_open = False
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Wait until the window has room or the peer disconnects, which the endpoint has to learn."""
        while not self._is_open and self._is_full and not self._has_left():
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_EVERY):
                    await self._changed.wait()

    @property
    def _is_full(self) -> bool:
        return self._messages >= MESSAGES or self._size >= BYTES

    def add(self, message: str | bytes) -> None:
        self._messages += 1
        self._size += len(message)

    def remove(self, message: str | bytes) -> None:
        """Remove a message that the endpoint has received."""
        self._messages -= 1
        self._size -= len(message)
        self._changed.set()

    def open(self) -> None:
        """Lift the bound once the endpoint has ended, so that a close frame behind messages is read."""
        self._is_open = True
        self._changed.set()


def window_of(scope: Mapping[str, Any]) -> ReceiveWindow:
    """Return the window of the connection with this scope."""
    window: ReceiveWindow = scope["extensions"][WINDOW]
    return window


class PlainConnection(ASGIWebsocketConnection):
    """Quart's side of a WebSocket that Hypercorn keeps."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        window = ReceiveWindow(partial(_has_left, send), partial(_reset, send))
        extensions: dict[str, Any] = {**(self.scope.get("extensions") or {}), WINDOW: window}
        self.scope["extensions"] = extensions

        async def receive_within_window() -> Any:
            await window.wait()
            event = await receive()
            if event["type"] == "websocket.receive":
                window.add(event.get("bytes") or event.get("text") or b"")
            return event

        try:
            await super().__call__(receive_within_window, send)
        finally:
            del extensions[WINDOW]

    async def handle_websocket(self, websocket: Websocket, send: Callable[..., Any]) -> None:
        try:
            await super().handle_websocket(websocket, send)
        finally:
            window_of(self.scope).open()


def _has_left(send: Callable[..., Any]) -> bool:
    """Return whether Hypercorn's stream behind *send* is closed; False with other servers."""
    transport = _transport(send)
    is_closed: bool = getattr(getattr(send, "__self__", None), "closed", False)
    return is_closed or (transport is not None and transport.is_closing())


def _reset(send: Callable[..., Any]) -> None:
    """Reset the connection. No effect with other servers, which must end stalled clients themselves."""
    if (transport := _transport(send)) is not None:
        transport.abort()


def _transport(send: Callable[..., Any]) -> asyncio.Transport | None:
    """Return the transport of Hypercorn's stream behind *send*; None with other servers."""
    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    writer = getattr(getattr(getattr(protocol, "send", None), "__self__", None), "writer", None)
    transport: asyncio.Transport | None = getattr(writer, "transport", None)
    return transport
