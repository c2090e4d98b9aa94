"""`tracker` with sockets on Quart's own API, as with other servers."""

from quart import Quart

from tracker import __main__ as command
from tracker.app import create_app
from tracker.commands import serve
from tracker.node import Node
from tracker.websocket.takeover import TakeoverConnection


def create_fallback(node: Node, *, taking_over: bool = False) -> Quart:
    app = create_app(node, taking_over=taking_over)
    assert not issubclass(app.asgi_websocket_class, TakeoverConnection)
    return app


if __name__ == "__main__":
    serve.create_app = create_fallback  # type: ignore[attr-defined]
    command.main()
