"""RequestConnection: Quart's side of one HTTP request, in the task that the server has made for it.

Quart runs the endpoint and the reader of messages in two further tasks, which cost a small request
a quarter of its time. Here the reader takes at once what has arrived, and then waits for the peer to leave.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from quart import Request, Response
from quart.asgi import ASGIHTTPConnection
from quart.utils import encode_headers
from quart.wrappers.response import DataBody


class RequestConnection(ASGIHTTPConnection):
    """One request. Its endpoint is cancelled when the peer leaves before the answer is complete."""

    async def __call__(self, receive: Callable[..., Awaitable[Any]], send: Callable[..., Any]) -> None:
        request = self._create_request_from_scope(send)
        answering = asyncio.current_task()
        assert answering is not None
        loop = asyncio.get_running_loop()
        reading = asyncio.Task(self._read(request, receive, answering), loop=loop, eager_start=True)
        try:
            await self.handle_request(request, send)
        except asyncio.CancelledError:
            if not self._has_left or answering.uncancel() > 0:  # the server itself ends the task
                raise
        finally:
            reading.cancel()

    _has_left = False

    async def _read(
        self, request: Request, receive: Callable[..., Awaitable[Any]], answering: asyncio.Task[Any]
    ) -> None:
        """Pass the body on; cancel *answering* when the peer leaves."""
        body: Any = request.body
        while (message := await receive())["type"] == "http.request":
            await body.put(message.get("body", b""))
            if not message.get("more_body", False):
                body.set_complete()
        self._has_left = True
        answering.cancel()

    async def _send_response(self, send: Callable[..., Awaitable[Any]], response: Any) -> None:
        """Send a response; one whose content is in memory takes two messages, not three."""
        content = response.response
        if not (isinstance(response, Response) and isinstance(content, DataBody)):
            await super()._send_response(send, response)
            return
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        data = content.data[content.begin : content.end]
        await send({"type": "http.response.body", "body": data, "more_body": False})
