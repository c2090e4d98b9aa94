"""Request body: what is held of it before its endpoint takes it. Quart alone would hold any amount."""

import asyncio
from typing import Any, Final, cast

from quart import Quart, Request, request
from quart.wrappers.request import Body
from werkzeug.exceptions import ClientDisconnected

from tracker.errors import TooLarge

HELD_BYTES: Final = 262_144  # of one body; no endpoint takes more
DISCARDED_BYTES: Final = 33_554_432  # of a body that nobody wants; then it is read slowly
PAUSE: Final = 0.5  # seconds between two pieces of it


class BoundedBody(Body):
    """One request's body, held up to `HELD_BYTES`; what goes beyond is counted and dropped."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.received = 0  # bytes so far
        self._held = bytearray()
        self._is_wanted = True
        self._has_left = False
        self._news = asyncio.Event()

    # --- for the server

    async def put(self, data: bytes) -> None:
        self.received += len(data)
        if self._is_wanted and self.received <= HELD_BYTES:
            self._held += data
        else:
            self._held.clear()
        self._news.set()
        if self.received > DISCARDED_BYTES:
            await asyncio.sleep(PAUSE)

    def set_complete(self) -> None:
        super().set_complete()
        self._news.set()

    def set_result(self, data: bytes) -> None:
        self._held += data
        self.received += len(data)
        self.set_complete()

    def disconnect(self) -> None:
        super().disconnect()
        self._has_left = True
        self._news.set()

    # --- for endpoints

    async def whole(self, limit: int) -> bytes:
        """Return the body. Raises TooLarge as soon as it exceeds *limit* bytes, ClientDisconnected."""
        while self.received <= limit and not self._complete.is_set():
            if self._has_left:
                raise ClientDisconnected
            self._news.clear()
            await self._news.wait()
        if self.received > limit:
            raise TooLarge(limit)
        return bytes(self._held)

    async def discard(self) -> None:
        """Hold nothing more. Return when the rest has come, or too much of it, or the client has left."""
        self._is_wanted = False
        self._held.clear()
        while not (self._complete.is_set() or self._has_left) and self.received <= DISCARDED_BYTES:
            self._news.clear()
            await self._news.wait()


class BoundedRequest(Request):
    """A request with a bounded body."""

    body_class = BoundedBody


def bound_bodies(app: Quart) -> None:
    """Give every request of *app* a bounded body."""
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = None  # Quart's limit would refuse before the rest is read


def incoming_body() -> BoundedBody:
    """The present request's."""
    return cast("BoundedBody", request.body)
