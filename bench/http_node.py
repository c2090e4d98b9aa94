"""A server with one endpoint that does nothing, to run as a process: `python -m bench.http_node`.

It is Quart on Hypercorn as their documentation sets them up, so its rate is the limit of the framework.
"""

import socket

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, Response, request


def build_app() -> Quart:
    """Create the app. It reads the body and answers as OwnTracks expects."""
    app = Quart("nothing")

    @app.post("/ingest/owntracks")
    async def answer() -> Response:
        await request.get_data()
        return Response(b"[]", content_type="application/json")

    return app


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = Config()
        config.errorlog = None
        config.bind = [f"fd://{listening.fileno()}"]
        print(listening.getsockname()[1], flush=True)
        await serve(build_app(), config)


if __name__ == "__main__":
    uvloop.run(main())
