"""The connections of one listener, bounded, and the answers of a full node."""

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config as HypercornConfig
from hypercorn.utils import wrap_app
from quart import Quart

from tracker.metrics import HttpMetrics
from tracker.system.memory import MemoryLimit
from tracker.websocket.accept import Connection
from tracker.websocket.http11 import Client

MOST_DESCRIPTORS: Final = 100_000
RESERVED: Final = 48  # file descriptors for the service itself: database, map, engine
REFUSED_WITHIN: Final = 1.0  # seconds
GRACE: Final = 3.0  # seconds for requests in progress
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


class Clients:
    """The connections of one server, bounded by file descriptors and memory, less a reserve.

    Without *metrics* they are those of the second listener, which may use the reserve.
    """

    def __init__(self, app: Quart, hypercorn: HypercornConfig, metrics: HttpMetrics | None) -> None:
        self.hypercorn = hypercorn
        self._app = wrap_app(app, 0, "asgi")
        self._context = WorkerContext(None)
        _raise_limit()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._served: set[Client] = set()
        self._memory = MemoryLimit()
        self._metrics = metrics
        if metrics is not None:
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
            elif self._metrics is not None and (lack := self._lack(over, loop.time())) is not None:
                log.info("connection_refused", reason=lack)
                self._metrics.refused.labels(lack).inc()
                await _refuse(reader, writer)
            else:
                await self._serve(Client(self._app, loop, self.hypercorn, self._context, {}, reader, writer))
        finally:
            del self._open[task]

    async def _serve(self, client: Client) -> None:
        self._served.add(client)
        try:
            await client
        finally:
            self._served.discard(client)

    def _lack(self, over: int, now: float) -> str | None:
        """Return what the node lacks for one more client; None if there is room."""
        if over >= 0:
            return "descriptors"
        return None if self._memory.admits(len(self._open) - 1, now) else "memory"

    async def end_idle(self) -> None:
        """End connections that wait for a request, and each other one after its response.

        A load balancer would send the next request on them.
        """
        await self._context.terminated.set()
        for client in self._served:
            client.end_if_idle()

    async def end(self, close_reason: Callable[[], str]) -> None:
        """Close WebSockets with 1012, give requests in progress GRACE, then abort all connections."""
        await self.end_idle()
        for writer in self._open.values():
            transport = writer.transport
            # A TLS transport that was closed twice has no protocol any more, and asking for it raises.
            if not transport.is_closing() and isinstance(connection := transport.get_protocol(), Connection):
                connection.end(1012, close_reason())
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
