"""Server: listening socket, bounded connections on Hypercorn, drain on SIGTERM."""

import asyncio
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config as HypercornConfig
from hypercorn.utils import wrap_app
from quart import Quart

from tracker.config import Config, cannot_listen
from tracker.config.checks import check_tls
from tracker.messages import FRAME_BYTES
from tracker.metrics import HttpMetrics
from tracker.system.certificates import Certificates
from tracker.system.gc_policy import short_passes
from tracker.system.memory import MemoryLimit
from tracker.system.stopping import start_watchdog
from tracker.websocket.accept import Connection
from tracker.websocket.http11 import ALPN, Client

SEND_BUFFER: Final = 65_536  # bytes in the kernel for one client; a larger buffer would hide a backlog
DEAD_PEER: Final = 30_000  # milliseconds until unacknowledged bytes end a connection
BACKLOG: Final = 2_048
HEADERS_WITHIN: Final = 25.0  # seconds from the first byte of a connection or of a later request
MOST_DESCRIPTORS: Final = 100_000
RESERVED: Final = 48  # file descriptors for the service itself: database, map, engine
REFUSED_WITHIN: Final = 1.0  # seconds
GRACE: Final = 3.0  # seconds for requests in progress
DRAINED_WITHIN: Final = 12.0  # seconds for fixes and updates in flight
_PROBLEM: Final = b'{"type":"/problems/overloaded","title":"Too many clients","status":503}\n'
FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s" % (len(_PROBLEM), _PROBLEM)
)
_LIVE: Final = b'{"status":"live"}'
LIVE: Final = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_LIVE), _LIVE)
)

log = structlog.get_logger()


def listen(config: Config) -> socket.socket:
    """Open the listening socket. Raises ConfigError if the address is not available."""
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
        raise cannot_listen(config.bind, error) from error
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket, config: Config) -> str:
    """Return the URL of the listener, without a slash at the end."""
    scheme = "http" if config.tls_cert is None else "https"
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def serve(
    app: Quart,
    config: Config,
    listening: socket.socket,
    drain: Callable[[], Awaitable[None]],
    *,
    metrics: HttpMetrics,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until *stop* is set, or until SIGTERM or SIGINT without *stop*; drain, then return."""
    clients = Clients(app, _hypercorn_config(config), metrics)
    await app.startup()
    try:
        async with short_passes(), _accepting(clients, config, listening):
            if stop is not None:
                await stop.wait()
            else:
                await _stop_signal().wait()
                start_watchdog()
            log.info("drain_started")
            await _drained(drain)
        await clients.end()
    finally:
        await app.shutdown()


@asynccontextmanager
async def _accepting(clients: "Clients", config: Config, listening: socket.socket) -> AsyncIterator[None]:
    certificates = _certificates(clients.hypercorn, config)
    context = None if certificates is None else certificates.context
    shaken_within = None if context is None else HEADERS_WITHIN
    server = await asyncio.start_server(
        clients.serve, sock=listening, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=shaken_within
    )
    try:
        async with _certificates_renewed(certificates):
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


class Clients:
    """The connections of one server, bounded by file descriptors and memory, less a reserve."""

    def __init__(self, app: Quart, hypercorn: HypercornConfig, metrics: HttpMetrics) -> None:
        self.hypercorn = hypercorn
        self._app = wrap_app(app, 0, "asgi")
        self._context = WorkerContext(None)
        _raise_limit()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._memory = MemoryLimit()
        self._metrics = metrics
        metrics.connections.set_function(lambda: len(self._open))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            loop = asyncio.get_running_loop()
            over = writer.get_extra_info("socket").fileno() - _most_descriptors()
            if over >= RESERVED // 2:  # the kernel assigns the lowest free number
                writer.transport.abort()
            elif over >= 0 or not self._memory.admits(len(self._open) - 1, loop.time()):
                await self._refuse(reader, writer, "descriptors" if over >= 0 else "memory")
            else:
                await Client(self._app, loop, self.hypercorn, self._context, {}, reader, writer)
        finally:
            del self._open[task]

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, why: str) -> None:
        log.info("connection_refused", reason=why)
        self._metrics.refused.labels(why).inc()
        await _refuse(reader, writer)

    async def end(self) -> None:
        """Close WebSockets with 1012, give requests in progress GRACE, then abort all connections."""
        await self._context.terminated.set()
        for writer in self._open.values():
            transport = writer.transport
            # A TLS transport that was closed twice has no protocol any more, and asking for it raises.
            if not transport.is_closing() and isinstance(connection := transport.get_protocol(), Connection):
                connection.end(1012, "restarting")
        if self._open:
            await asyncio.wait(self._open, timeout=GRACE)
        for writer in self._open.values():
            writer.transport.abort()
        if self._open:
            await asyncio.wait(self._open, timeout=GRACE)


def _raise_limit() -> None:
    """Raise the limit of file descriptors; the usual soft limit of 1024 is for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _most_descriptors() -> int:
    """Return how many file descriptors clients may use."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 503, but 200 to `/livez`: a supervisor must not restart a node because it is full.

    Read the request first: a close with unread bytes would reset the connection.
    """
    head = b""
    with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(REFUSED_WITHIN):
            head = await reader.readuntil(b"\r\n\r\n")
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(REFUSED_WITHIN):
            writer.write(LIVE if head.startswith(b"GET /livez ") else FULL)
            writer.close()
            await writer.wait_closed()
    writer.transport.abort()


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
