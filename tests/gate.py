"""Gate: a middlebox before the service that lets some requests through and cuts others, as firewalls do."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

PATH: Final = re.compile(rb"(?:GET|POST) ([^ ?]*)")


class Gate:
    """`shut` holds the ends of the paths that are cut now, on connections that stand already, too."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.shut: set[str] = set()
        self.held: set[str] = set()  # the ends of the paths that get no answer, on connections that stay open
        self.passed: list[str] = []  # paths, in order
        self.moving = asyncio.Event()  # clear: nothing moves, nobody is told
        self.moving.set()
        self.asked: dict[bytes, bytes] = {}  # what requests hold, and what the service reads instead
        self.answered: dict[bytes, bytes] = {}  # the same of answers; the lengths are equal
        self._upstream = urlsplit(upstream)
        self._links: dict[asyncio.StreamWriter, str] = {}  # to the path that was asked for last

    def close(self, *ends: str) -> None:
        """From now on these are cut, and whoever uses them now is."""
        self.shut = set(ends)
        for writer, path in list(self._links.items()):
            if self._is_shut(path):
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        self._links[writer] = ""
        with suppress(OSError):
            await asyncio.gather(self._outward(reader, onward, writer), self._inward(there, writer))
        del self._links[writer]
        for end in (writer, onward):
            end.transport.abort()

    async def _outward(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65_536):
            await self.moving.wait()
            if (asked := PATH.match(data)) is not None:
                self._links[writer] = asked[1].decode()
                if self._is_shut(self._links[writer]):
                    writer.transport.abort()
                    break
                if any(self._links[writer].endswith(end) for end in self.held):
                    while await reader.read(65_536):
                        pass
                    break
                self.passed.append(self._links[writer])
            onward.write(_replaced(data, self.asked))
        onward.transport.abort()

    async def _inward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.moving.wait()
            writer.write(_replaced(data, self.answered))
        writer.transport.abort()

    def _is_shut(self, path: str) -> bool:
        return any(path.endswith(end) for end in self.shut)


def _replaced(data: bytes, texts: dict[bytes, bytes]) -> bytes:
    for old, new in texts.items():
        data = data.replace(old, new)
    return data


@asynccontextmanager
async def gate_before(upstream: str) -> AsyncIterator[Gate]:
    """A gate on a port of its own."""
    gate = Gate(upstream)
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        gate.moving.set()
        for writer in list(gate._links):
            writer.transport.abort()
