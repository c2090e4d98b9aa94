"""One HTTP request in one task: its body, its answer, and a peer that leaves."""

import asyncio
from typing import Any

import pytest
from quart import Quart

from tests.waiting import until
from tracker.api.json_bodies import raw_body, register_bodies
from tracker.websocket.quart_request import RequestConnection

SCOPE: dict[str, Any] = {
    "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/", "raw_path": b"/",
    "query_string": b"", "root_path": "", "headers": [(b"host", b"x")], "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2), "extensions": {},
}  # fmt: skip
LEFT = {"type": "http.disconnect"}


class Exchange:
    """An app with one endpoint, called as a server would call it."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.begun, self.is_cancelled = asyncio.Event(), False
        self.app = Quart("exchange", static_folder=None)
        register_bodies(self.app)

        @self.app.post("/")
        async def endpoint() -> bytes:
            self.begun.set()
            try:
                return await raw_body()
            except asyncio.CancelledError:
                self.is_cancelled = True
                raise

    def put(self, data: bytes, *, more: bool) -> None:
        self.received.put_nowait({"type": "http.request", "body": data, "more_body": more})

    async def run(self) -> None:
        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)
            if message["type"] == "http.response.body" and not message["more_body"]:
                self.received.put_nowait(LEFT)  # as servers do after an answer

        scope: Any = SCOPE | {"extensions": {}}
        await RequestConnection(self.app, scope)(self.received.get, send)

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


@pytest.mark.parametrize("is_early", [True, False])
async def test_a_body_is_answered(is_early: bool) -> None:
    """Whether it was there before its endpoint began or comes in pieces."""
    exchange = Exchange()
    if is_early:
        exchange.put(b"whole", more=False)
    running = asyncio.create_task(exchange.run())
    await exchange.begun.wait()
    if not is_early:
        exchange.put(b"who", more=True)
        exchange.put(b"le", more=False)
    await asyncio.wait_for(running, 5)
    assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]
    assert (exchange.sent[0]["status"], exchange.content) == (200, b"whole")
    assert not exchange.is_cancelled
    assert running.cancelling() == 0


async def test_an_endpoint_is_cancelled_when_its_peer_leaves() -> None:
    """The server's task ends as usual, without an answer."""
    exchange = Exchange()
    running = asyncio.create_task(exchange.run())
    await exchange.begun.wait()
    exchange.received.put_nowait(LEFT)
    await asyncio.wait_for(running, 5)
    assert exchange.is_cancelled
    assert not exchange.sent


async def test_the_server_may_cancel_the_request() -> None:
    """Then its task is cancelled, too, and no reader stays behind."""
    before = asyncio.all_tasks()
    exchange = Exchange()
    running = asyncio.create_task(exchange.run())
    await exchange.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: asyncio.all_tasks() <= before)
