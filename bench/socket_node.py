"""A server with only WebSockets, to run as a process: `python -m bench.socket_node ours|quart`."""

import asyncio
import sys
from contextlib import suppress
from time import process_time

import uvloop
from quart import Quart, websocket

from tracker.config import Config
from tracker.messages import FRAME_BYTES
from tracker.metrics import Metrics
from tracker.server import listen, serve
from tracker.websocket.accept import Disconnected, Frame, Socket, accept, register_sockets

UPDATE = '{"type":"update","cursor":"0123456789abcdef01-1234","now":"2026-11-22T15:55:00.000Z"}' * 4


def build_app(*, taking_over: bool) -> Quart:
    """Create the server. `/in` receives, `/out` subscribes, `/tell` sends to all subscribers.

    `/in` and `/tell` reply with their CPU time in µs.
    """
    app = Quart("sockets", static_folder=None)
    register_sockets(app, taking_over=taking_over)
    subscribers: set[Socket] = set()

    @app.websocket("/in")
    async def receive_all() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        await peer.receive()
        started = process_time()
        while await peer.receive() != "done":
            pass
        await peer.send(f"{(process_time() - started) * 1e6}")

    @app.websocket("/out")
    async def subscribe() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        subscribers.add(peer)
        try:
            with suppress(Disconnected):
                await peer.send("here")
                await peer.receive()
        finally:
            subscribers.discard(peer)

    @app.websocket("/tell")
    async def publish() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        count = int(await peer.receive())
        started = process_time()
        for _ in range(count):
            frame = Frame(UPDATE)
            await asyncio.gather(*(subscriber.send(frame) for subscriber in subscribers))
        await peer.send(f"{(process_time() - started) * 1e6}")

    return app


async def main(*, taking_over: bool) -> None:
    with listen(Config(bind="127.0.0.1:0")) as listening:
        listening.listen()
        print(listening.getsockname()[1], flush=True)
        app = build_app(taking_over=taking_over)
        await serve(app, Config(), listening, nothing_to_drain, metrics=Metrics().http)


async def nothing_to_drain() -> None:
    """Return at once: there are no sessions to drain."""


if __name__ == "__main__":
    uvloop.run(main(taking_over=sys.argv[1] == "ours"))
