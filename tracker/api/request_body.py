"""Bounded request bodies. Quart alone would buffer any amount before the endpoint reads it."""

import asyncio
from typing import Any, Final, cast

from quart import Quart, Request, request
from quart.wrappers.request import Body
from werkzeug.exceptions import ClientDisconnected

from tracker.errors import TooLarge
from tracker.websocket.quart_request import RequestConnection

BUFFER_BYTES: Final = 262_144  # of one body, until its endpoint asks for more
LARGEST_BYTES: Final = 10_502_144  # no endpoint asks for more
DISCARDED_BYTES: Final = 33_554_432  # of an unused body; beyond that it is read slowly
PAUSE: Final = 0.5  # seconds between two chunks of such a body


class BoundedBody(Body):
    """A request's body, buffered up to the endpoint's limit; longer bodies are counted and dropped.

    Until the endpoint reads it, at most `BUFFER_BYTES` are buffered and the client has to wait with the rest.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received = 0  # bytes so far
        self._buffer = bytearray()
        self._limit = BUFFER_BYTES
        self._is_wanted = asyncio.Event()  # the endpoint reads or discards the body
        self._is_disconnected = False
        self._changed = asyncio.Event()

    # --- for the server

    async def put(self, data: bytes) -> None:
        if self.received + len(data) > self._limit:
            await self._is_wanted.wait()
        self.append(data)
        if self.received > DISCARDED_BYTES:
            await asyncio.sleep(PAUSE)

    def append(self, data: bytes) -> None:
        """Buffer or drop a chunk. Quart 0.22, the last for Python 3.12, calls this instead of `put`."""
        self.received += len(data)
        if self.received <= (self._limit if self._is_wanted.is_set() else LARGEST_BYTES):
            self._buffer += data
        else:
            self._buffer.clear()
        self._changed.set()

    def set_complete(self) -> None:
        super().set_complete()
        self._changed.set()

    def set_result(self, data: bytes) -> None:
        self._buffer += data
        self.received += len(data)
        self.set_complete()

    def disconnect(self) -> None:
        super().disconnect()
        self._is_disconnected = True
        self._changed.set()

    # --- for endpoints

    @property
    def is_complete(self) -> bool:
        """Whether the client has sent all of it."""
        return self._complete.is_set()

    async def whole(self, limit: int) -> bytes:
        """Return the body. Raises TooLarge once it exceeds *limit* bytes, ClientDisconnected."""
        self._limit = limit
        self._is_wanted.set()
        while self.received <= limit and not self._complete.is_set():
            if self._is_disconnected:
                raise ClientDisconnected
            self._changed.clear()
            await self._changed.wait()
        if self.received > limit:
            raise TooLarge(limit)
        return bytes(self._buffer)

    async def discard(self) -> None:
        """Drop the rest. Return at its end, after `DISCARDED_BYTES`, or if the client disconnects."""
        self._limit = 0
        self._is_wanted.set()
        self._buffer.clear()
        while not (self._complete.is_set() or self._is_disconnected) and self.received <= DISCARDED_BYTES:
            self._changed.clear()
            await self._changed.wait()


class BoundedRequest(Request):
    """A request with a bounded body."""

    body_class = BoundedBody


def bound_bodies(app: Quart) -> None:
    """Give every request of *app* a bounded body."""
    app.request_class = BoundedRequest
    app.asgi_http_class = RequestConnection
    app.config["MAX_CONTENT_LENGTH"] = None  # Quart's limit would respond before the rest is read


def incoming_body() -> BoundedBody:
    """Return the body of the current request."""
    return cast("BoundedBody", request.body)
