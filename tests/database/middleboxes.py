"""Middleboxes before the database, for tests of what a network may do to a query and its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from tracker.database.queries import sql
from tracker.database_url import asyncpg_url

PARSE: Final = b"P"  # kinds of a client's messages
BIND: Final = b"B"
CHUNK: Final = 65_536

type Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Middlebox(Protocol):
    """Forwards between a client and the server until one of them ends."""

    async def pass_on(self, client: Ends, server: Ends) -> None: ...


class Firewall:
    """Forwards TCP connections to the server; `forget` drops all packets of the present ones."""

    def __init__(self) -> None:
        self._open: set[asyncio.Event] = set()

    def forget(self) -> None:
        for forgotten in self._open:
            forgotten.set()

    async def pass_on(self, client: Ends, server: Ends) -> None:
        forgotten = asyncio.Event()
        self._open.add(forgotten)
        try:
            await asyncio.gather(pump(client[0], server[1], forgotten), pump(server[0], client[1], forgotten))
        finally:
            self._open.discard(forgotten)


class AnswerGate:
    """Holds the answer to one query; `held` is set when the server has given it."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self._released = asyncio.Event()
        self._wanted: tuple[bytes, bytes] | None = None  # the query's text, and one of its arguments

    def hold(self, query: str, argument: str) -> None:
        """Hold the answer to the next query of this name with this argument."""
        self.held.clear()
        self._released.clear()
        self._wanted = sql(query).encode(), argument.encode()

    def release(self) -> None:
        """Let the answer go."""
        self._wanted = None
        self._released.set()

    async def pass_on(self, client: Ends, server: Ends) -> None:
        holding = asyncio.Event()
        with suppress(asyncio.IncompleteReadError, OSError):
            await asyncio.gather(
                self._ask(client[0], server[1], holding), self._answer(server[0], client[1], holding)
            )

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holding: asyncio.Event
    ) -> None:
        """Forward message by message; the first one of a connection has no kind."""
        prepared: dict[bytes, bytes] = {}  # texts of statements
        kind = b""
        while True:
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length) - len(length))
            if kind == PARSE:
                name, text, _ = body.split(b"\0", 2)
                prepared[name] = text
            elif kind == BIND and self._wanted is not None:
                _, name, arguments = body.split(b"\0", 2)
                text, argument = self._wanted
                if prepared.get(name) == text and argument in arguments:
                    self._wanted = None
                    holding.set()
            writer.write(kind + length + body)
            kind = await reader.readexactly(1)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holding: asyncio.Event
    ) -> None:
        while data := await reader.read(CHUNK):
            if holding.is_set():
                self.held.set()
                await self._released.wait()
                holding.clear()
            writer.write(data)
        writer.transport.abort()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forgotten: asyncio.Event) -> None:
    """Forward until one side ends; once forgotten, swallow everything, the end too."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            if not forgotten.is_set():
                writer.write(data)
        if not forgotten.is_set():
            writer.close()


@asynccontextmanager
async def before_database(url: str, box: Middlebox) -> AsyncIterator[str]:
    """The URL of the same database through the box."""
    target = parse_qs(urlsplit(asyncpg_url(url)).query)
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server = await _connect(target)
        try:
            with suppress(asyncio.CancelledError, OSError):
                await box.pass_on((reader, writer), server)
        finally:
            for end in (writer, server[1]):
                end.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    user = target.get("user", ["tracker"])[0]
    password = f":{target['password'][0]}" if "password" in target else ""
    try:
        yield f"postgresql://{user}{password}@127.0.0.1:{port}/{target['dbname'][0]}?sslmode=disable"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _connect(target: dict[str, list[str]]) -> Ends:
    host, port = target["host"][0], target.get("port", ["5432"])[0]
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def firewall(url: str) -> AsyncIterator[tuple[Firewall, str]]:
    """A firewall before the server of this URL, and the URL through it."""
    wall = Firewall()
    async with before_database(url, wall) as through:
        yield wall, through
