"""A server of nothing but sockets, as a process of its own: `python -m bench.socket_node ours|quart`."""

import asyncio
import sys
from contextlib import suppress
from time import process_time

import uvloop
from quart import Quart, websocket

from tracker.config import Config
from tracker.messages import FRAME_BYTES
from tracker.server import listen, serve
from tracker.websocket.accept import Disconnected, Frame, Socket, accept, register_sockets

UPDATE = '{"type":"update","cursor":"0123456789abcdef01-1234","now":"2026-11-22T15:55:00.000Z"}' * 4


def build_app(*, taking_over: bool) -> Quart:
    """`/in` is spoken to, `/out` listens, `/tell` makes it speak; both tell the processor's time in µs."""
    app = Quart("sockets", static_folder=None)
    register_sockets(app, taking_over=taking_over)
    listeners: set[Socket] = set()

    @app.websocket("/in")
    async def hear() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        await peer.receive()
        begun = process_time()
        while await peer.receive() != "done":
            pass
        await peer.send(f"{(process_time() - begun) * 1e6}")

    @app.websocket("/out")
    async def listen_on() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        listeners.add(peer)
        try:
            with suppress(Disconnected):
                await peer.send("here")
                await peer.receive()
        finally:
            listeners.discard(peer)

    @app.websocket("/tell")
    async def tell() -> None:
        peer = await accept(websocket, None, FRAME_BYTES)
        times = int(await peer.receive())
        begun = process_time()
        for _ in range(times):
            frame = Frame(UPDATE)
            await asyncio.gather(*(listener.send(frame) for listener in listeners))
        await peer.send(f"{(process_time() - begun) * 1e6}")

    return app


async def main(*, taking_over: bool) -> None:
    with listen(Config(bind="127.0.0.1:0")) as listening:
        listening.listen()
        print(listening.getsockname()[1], flush=True)
        await serve(build_app(taking_over=taking_over), Config(), listening, nothing_to_drain)


async def nothing_to_drain() -> None:
    """Nothing is owed to anybody."""


if __name__ == "__main__":
    uvloop.run(main(taking_over=sys.argv[1] == "ours"))
