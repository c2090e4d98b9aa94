"""Serving: the public and the second listener, their certificates, and the drain on SIGTERM."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog
from hypercorn.config import Config as HypercornConfig
from quart import Quart

from tracker.config import Config
from tracker.config.checks import check_tls
from tracker.messages import FRAME_BYTES
from tracker.metrics import HttpMetrics
from tracker.server.clients import Clients
from tracker.server.listening import BACKLOG
from tracker.system.certificates import Certificates
from tracker.system.gc_policy import short_passes
from tracker.system.stopping import start_watchdog
from tracker.websocket.http11 import ALPN

HEADERS_WITHIN: Final = 25.0  # seconds from the first byte of a connection or of a later request
DRAINED_WITHIN: Final = 12.0  # seconds for fixes and updates in flight

log = structlog.get_logger()


class Monitoring(NamedTuple):
    """What the second listener serves, and where."""

    app: Quart
    listening: socket.socket


async def serve(
    app: Quart,
    config: Config,
    listening: socket.socket,
    drain: Callable[[], Awaitable[None]],
    *,
    metrics: HttpMetrics,
    close_reason: Callable[[], str] = lambda: "restarting",
    stop: asyncio.Event | None = None,
    monitoring: Monitoring | None = None,
) -> None:
    """Serve until *stop* is set, or until SIGTERM or SIGINT without *stop*; drain, then return.

    *monitoring* is served until all clients of *app* have ended. *close_reason* returns the reason for one
    close frame with 1012.
    """
    hypercorn = _hypercorn_config(config)
    clients, certificates = Clients(app, hypercorn, metrics), _certificates(hypercorn, config)
    await app.startup()
    try:
        async with (
            short_passes(),
            _certificates_renewed(certificates),
            _monitored(monitoring, hypercorn, certificates),
        ):
            async with _accepting(clients, certificates, listening):
                await _stopped(stop)
                log.info("drain_started")
            await clients.end_idle()
            await _drained(drain)
            await clients.end(close_reason)
    finally:
        await app.shutdown()


async def _stopped(stop: asyncio.Event | None) -> None:
    if stop is not None:
        await stop.wait()
    else:
        await _stop_signal().wait()
        start_watchdog()


@asynccontextmanager
async def _monitored(
    monitoring: Monitoring | None, hypercorn: HypercornConfig, certificates: Certificates | None
) -> AsyncIterator[None]:
    """Serve the second listener during the block, also while the node is full."""
    if monitoring is None:
        yield
        return
    clients = Clients(monitoring.app, hypercorn, None)
    await monitoring.app.startup()
    try:
        async with _accepting(clients, certificates, monitoring.listening):
            yield
        await clients.end(lambda: "restarting")
    finally:
        await monitoring.app.shutdown()


@asynccontextmanager
async def _accepting(
    clients: Clients, certificates: Certificates | None, listening: socket.socket
) -> AsyncIterator[None]:
    context = None if certificates is None else certificates.context
    shaken_within = None if context is None else HEADERS_WITHIN
    server = await asyncio.start_server(
        clients.serve, sock=listening, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=shaken_within
    )
    try:
        yield
    finally:
        server.close()  # without wait_closed, which would wait for every client


def _certificates(hypercorn: HypercornConfig, config: Config) -> Certificates | None:
    if config.tls_cert is None or config.tls_key is None:
        return None

    def make() -> ssl.SSLContext:
        check_tls(config.tls_cert, config.tls_key)
        context = hypercorn.create_ssl_context()
        assert context is not None
        return context

    return Certificates(make, (config.tls_cert, config.tls_key))


@asynccontextmanager
async def _certificates_renewed(certificates: Certificates | None) -> AsyncIterator[None]:
    """Reload the certificates when their files change and on SIGHUP, which without TLS has no effect."""
    loop = asyncio.get_running_loop()

    def hang_up() -> None:
        log.info("hang_up_received", effect="none" if certificates is None else "certificates are reloaded")
        if certificates is not None:
            certificates.reload()

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    watch = None if certificates is None else asyncio.create_task(certificates.watch())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the drain goes on
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])


async def _drained(drain: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(DRAINED_WITHIN):
            await drain()
    except TimeoutError:
        log.warning("drain_timed_out", after_s=DRAINED_WITHIN)


def _hypercorn_config(config: Config) -> HypercornConfig:
    hypercorn = HypercornConfig()
    hypercorn.accesslog = None
    hypercorn.errorlog = None
    hypercorn.keep_alive_timeout = HEADERS_WITHIN
    hypercorn.websocket_max_message_size = FRAME_BYTES
    hypercorn.include_server_header = False
    hypercorn.alpn_protocols = ALPN
    if config.tls_cert is not None:
        hypercorn.certfile, hypercorn.keyfile = str(config.tls_cert), str(config.tls_key)
    return hypercorn


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
