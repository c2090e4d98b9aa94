"""A peer that speaks the driver's side of the protocol and can break it at any chosen place."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Answer = Callable[["Peer", ServerConnection, dict[str, Any]], Awaitable[None]]


class Peer:
    """Stores fixes by `recorded_at` and acknowledges them, unless `answer` is replaced."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[tuple[str, str]] = []
        self.connections = 0
        self.authorizations: list[str | None] = []
        self.close_codes: list[int | None] = []
        self.refuse_with: int | None = None
        self.greeting: Callable[[ServerConnection], Awaitable[bool]] | None = None
        self.answer: Answer = Peer.take
        self.limits: dict[str, float] = {
            "frame_bytes": 262144,
            "fixes_per_message": 500,
            "fixes_per_s": 100000,
        }
        self.server: Server | None = None
        self.socket: ServerConnection | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{next(iter(self.server.sockets)).getsockname()[1]}"

    @property
    def stored_order(self) -> list[str]:
        return list(self.stored)

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.refuse_with is None:
            return None
        return connection.respond(self.refuse_with, "no")

    async def converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connections += 1
        self.socket = connection
        self.authorizations.append(connection.request.headers.get("Authorization"))
        if self.greeting is None or await self.greeting(connection):
            await self.say(connection, self.welcome())
        try:
            async for raw in connection:
                message = msgspec.json.decode(raw)
                self.messages.append(message)
                await self.answer(self, connection, message)
        except ConnectionClosed:
            pass
        finally:
            self.close_codes.append(connection.close_code)

    def welcome(self) -> dict[str, Any]:
        driver = {"id": "drv_1", "name": "Aino K.", "vehicle": "car"}
        return {
            "type": "welcome",
            "driver": driver,
            "orders": [],
            "now": "2026-11-22T12:00:00.000Z",
            "limits": self.limits,
        }

    async def say(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        await connection.send(msgspec.json.encode(message).decode())

    def store(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the service does before it acknowledges; the ack to send."""
        new = [fix for fix in message["fixes"] if fix["recorded_at"] not in self.stored]
        self.stored |= {fix["recorded_at"]: fix for fix in new}
        duplicates = len(message["fixes"]) - len(new)
        ack = {"type": "ack", "id": message["id"], "stored": len(new), "duplicates": duplicates}
        return ack | {"rejected": []}

    async def take(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "fixes":
                await self.say(connection, self.store(message))
            case "status":
                self.statuses.append((message["order_id"], message["status"]))
                await self.say(connection, {"type": "ack", "id": message["id"]})
            case "ping":
                await self.say(connection, {"type": "pong", "n": message["n"]})


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A listening peer on a free port."""
    it = Peer()
    async with serve(
        it.converse,
        "127.0.0.1",
        0,
        subprotocols=["tracker.v1"],  # type: ignore[list-item]
        process_request=it.refuse,
        compression=None,
    ) as server:
        it.server = server
        yield it
