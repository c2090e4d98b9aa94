"""`tracker serve`: one node, from its listening socket to its drain."""

from collections.abc import Callable

from tracker.app import create_app
from tracker.config import Config
from tracker.node import open_node
from tracker.server import BACKLOG, listen
from tracker.server import serve as serve_app
from tracker.system.stopping import Stop


async def serve(config: Config, stop: Stop, say: Callable[[str], None], *, migrate: bool) -> None:
    """Run a node until *stop* is asked for. Cancelling it before it serves closes what is open."""
    with listen(config) as listening:
        async with open_node(config, say=say, migrating=migrate) as node:
            stop.serving = True
            listening.listen(BACKLOG)  # only now, so that early clients wait in the queue instead of failing
            scheme = "http" if config.tls_cert is None else "https"
            host, port = listening.getsockname()[:2]
            say(f"Serving on {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
            await serve_app(create_app(node), config, listening, node.fleet.drain, stop.asked)
