"""Server: Hypercorn started from our own process, on a socket tuned for live traffic, drained on SIGTERM."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config as HypercornConfig
from hypercorn.config import Sockets
from hypercorn.utils import wrap_app
from quart import Quart

from tracker.config import Config
from tracker.errors import ConfigError
from tracker.messages import FRAME_BYTES

SEND_BUFFER: Final = 65_536  # bytes in the kernel for one client: more would hide a backlog from us
DEAD_PEER: Final = 30_000  # milliseconds until unacknowledged bytes end a connection
BACKLOG: Final = 2_048
GRACE: Final = 3.0  # seconds for requests that are being answered
ENDED_WITHIN: Final = 18.0  # seconds after SIGTERM; then the process goes, whoever still holds on

log = structlog.get_logger()


def listen(config: Config) -> socket.socket:
    """The listening socket. Raises ConfigError where the address cannot be had."""
    host, port = config.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit all of these
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError("TRACKER_BIND", f"cannot listen on {config.bind}: {error.strerror}") from error
    listening.setblocking(False)
    return listening


async def serve(
    app: Quart, config: Config, listening: socket.socket, drain: Callable[[], Awaitable[None]]
) -> None:
    """Serves until SIGTERM or SIGINT, then drains: returns when nothing is in flight any more."""
    stop = _stop_signal()

    async def until_drained() -> None:
        await stop.wait()
        log.info("draining")
        _leave_in_any_case()
        await drain()

    secure = config.tls_cert is not None
    sockets = Sockets([listening] if secure else [], [] if secure else [listening], [])
    hypercorn = _hypercorn_config(config)
    await worker_serve(wrap_app(app, 0, "asgi"), hypercorn, sockets=sockets, shutdown_trigger=until_drained)


def _hypercorn_config(config: Config) -> HypercornConfig:
    hypercorn = HypercornConfig()
    hypercorn.accesslog = None
    hypercorn.errorlog = None
    hypercorn.backlog = BACKLOG
    hypercorn.graceful_timeout = GRACE
    hypercorn.websocket_max_message_size = FRAME_BYTES
    hypercorn.include_server_header = False
    hypercorn.startup_timeout = 600
    if config.tls_cert is not None:
        hypercorn.certfile, hypercorn.keyfile = str(config.tls_cert), str(config.tls_key)
    return hypercorn


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _leave_in_any_case() -> None:
    """A client that holds its connection open must not hold the process."""

    def leave() -> None:
        log.warning("left_by_force", after_s=ENDED_WITHIN)
        os._exit(0)

    watchdog = threading.Timer(ENDED_WITHIN, leave)
    watchdog.daemon = True
    watchdog.start()
