"""A server with nothing in it but an echo, through the code that serves all our sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from quart import Quart, websocket

from tracker.api.errors import register_errors
from tracker.api.json_bodies import raw_body, register_bodies
from tracker.config import Config
from tracker.messages import FRAME_BYTES
from tracker.metrics import Metrics
from tracker.server import listen, serve
from tracker.websocket.accept import Disconnected, Socket, accept, register_sockets


class EchoServer:
    """Where it listens, and what became of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: list[Socket] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.stop = asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@asynccontextmanager
async def echo_server(*, taking_over: bool = True, **settings: Any) -> AsyncIterator[EchoServer]:
    """`/` echoes, or tells a size; `/deaf` says `begin`, then reads while `may_read`; `/crash` fails.

    `/large` is an answer of 10 MB.
    """
    config = Config(bind="127.0.0.1:0", **settings)
    with listen(config) as listening:
        listening.listen()  # who comes before the server is there waits
        here = EchoServer(listening.getsockname()[1])
        app = _app(here, taking_over=taking_over)
        work = serve(app, config, listening, _nothing_to_drain, metrics=Metrics().http, stop=here.stop)
        serving = asyncio.create_task(work)
        try:
            yield here
        finally:
            here.may_read.set()
            here.stop.set()
            async with asyncio.timeout(20):
                await serving


async def _nothing_to_drain() -> None:
    """An echo owes nothing to anybody."""


def _app(here: EchoServer, *, taking_over: bool) -> Quart:
    app = Quart("echo", static_folder=None)
    register_errors(app)
    register_bodies(app)
    register_sockets(app, taking_over=taking_over)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    @app.get("/large")
    async def large() -> bytes:
        return bytes(10_000_000)

    @app.post("/")
    async def size() -> str:
        return f"{len(await raw_body())}"

    @app.websocket("/")
    async def echo() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        here.sockets.append(peer)
        with suppress(Disconnected):
            while True:
                await peer.send(await peer.receive())

    @app.websocket("/deaf")
    async def deaf() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        here.sockets.append(peer)
        with suppress(Disconnected):
            await peer.send("begin")
            while True:
                await here.may_read.wait()
                await peer.send(f"{len(await peer.receive())}")

    @app.websocket("/crash")
    async def crash() -> None:
        await accept(websocket, None, FRAME_BYTES)
        raise RuntimeError("on purpose")

    return app
