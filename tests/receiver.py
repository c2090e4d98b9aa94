"""A receiver of webhooks: a real HTTP server that keeps what comes and answers as the test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import h11
import msgspec

from tests.privacy.exchanges import Published
from tests.privacy.recording import overhear

type Answer = Callable[["Received"], tuple[int, dict[str, str]]]


class Received(msgspec.Struct, frozen=True):
    """One request."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float  # the loop's time

    @property
    def event(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def order_id(self) -> str | None:
        order = self.event["data"].get("order")
        return None if order is None else str(order["id"])


def accept(received: Received) -> tuple[int, dict[str, str]]:
    """Answer 204 to everything."""
    del received
    return 204, {}


class Receiver:
    """Serves on a free loopback port. `answer` may be replaced; while `held` is clear, no answer leaves."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Answer = accept
        self.held = asyncio.Event()
        self.held.set()
        self.body = b""  # of each answer
        self.connections = 0
        self.port = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        receiver = cls()
        server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        try:
            yield receiver
        finally:
            server.close()
            for task in receiver._tasks:
                task.cancel()
            await asyncio.gather(*receiver._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    def of_order(self, order: Any) -> list[Received]:
        """The requests about an order."""
        return [one for one in self.received if one.order_id == order["id"]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        try:
            while connection.our_state is h11.IDLE:
                await self._request(connection, reader, writer)
                if {connection.our_state, connection.their_state} == {h11.DONE}:
                    connection.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _request(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request, sent = None, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            match event:
                case h11.NEED_DATA:
                    connection.receive_data(await reader.read(65_536))
                case h11.Request():
                    request = event
                case h11.Data():
                    sent += event.data
                case _:
                    raise ConnectionResetError
        assert request is not None
        headers = {name.decode(): value.decode() for name, value in request.headers}
        received = Received(request.target.decode(), headers, sent, asyncio.get_running_loop().time())
        self.received.append(received)
        overhear(Published(time.time(), by_service=True, topic=received.path, payload=sent))
        await self.held.wait()
        status, more = self.answer(received)
        body = self.body if status != 204 else b""
        for part in (
            h11.Response(status_code=status, headers=[("Content-Length", str(len(body))), *more.items()]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(part) or b"")
        await writer.drain()
