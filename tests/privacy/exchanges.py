"""Exchanges: what was said on one line, read as HTTP/1.1, WebSocket messages and server-sent events."""

import gzip
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

HEAD_END: Final = b"\r\n\r\n"
NO_BODY: Final = {204, 304}

type Headers = dict[str, str]


class Exchange(msgspec.Struct):
    """A request with its answer, in seconds of the relay's clock."""

    method: str
    path: str  # with its query
    headers: Headers
    asked_at: float = 0.0
    body: bytes = b""
    status: int = 0
    answer_headers: Headers = {}
    answered_at: float = 0.0
    answer: bytes = b""


class Said(msgspec.Struct, frozen=True):
    """A message on a WebSocket, or one server-sent event's data."""

    at: float
    by_client: bool
    path: str
    headers: Headers
    text: str | bytes


class Unreadable(msgspec.Struct, frozen=True):
    """Bytes from the service on a line that was not HTTP, or not any more."""

    at: float
    text: bytes


class Published(msgspec.Struct, frozen=True):
    """A message between the service and an MQTT broker."""

    at: float
    by_service: bool
    topic: str
    payload: bytes


class Logged(msgspec.Struct, frozen=True):
    """What the service has logged since the last time; whole lines."""

    at: float
    text: bytes


type Record = Exchange | Said | Unreadable | Published | Logged
type _Length = int | Literal["chunked", "close"]


class Reading:
    """One line, read as it grows."""

    def __init__(self) -> None:
        self._asking = _Half()
        self._answering = _Half()
        self._waiting: deque[Exchange] = deque()  # asked, not answered
        self._asked_now: Exchange
        self._sockets: dict[bool, _Socket] = {}
        self._broken = False

    def read(self, said: Iterable[tuple[float, bool, bytes]]) -> Iterator[Record]:
        """What became whole by these bytes."""
        for at, by_client, data in said:
            if self._broken:
                if not by_client:
                    yield Unreadable(at, data)
            elif self._sockets:
                yield from self._sockets[by_client].read(at, data)
            else:
                try:
                    if by_client:
                        self._asked(at, data)
                    else:
                        yield from self._answered(at, data)
                except (ValueError, IndexError, KeyError):
                    self._broken = True
                    if not by_client:
                        yield Unreadable(at, data)

    def _asked(self, at: float, data: bytes) -> None:
        self._asking.data += data
        while True:
            if self._asking.length is None:
                if (head := self._asking.head()) is None:
                    return
                first, headers = head
                method, path, _ = first.split(" ")
                self._asking.begin(headers, "asking")
                self._asked_now = Exchange(method, path, headers)
                self._waiting.append(self._asked_now)
            if not self._asking.take_body():
                return
            self._asked_now.asked_at, self._asked_now.body = at, self._asking.end()

    def _answered(self, at: float, data: bytes) -> Iterator[Record]:
        self._answering.data += data
        while self._waiting:
            exchange = self._waiting[0]
            if self._answering.length is None:
                if (head := self._answering.head()) is None:
                    return
                first, exchange.answer_headers = head
                exchange.status = int(first.split(" ")[1])
                if exchange.status == 101:
                    yield from self._upgrade(at, exchange)
                    return
                if exchange.status < 200:
                    continue  # go on, it says
                bare = exchange.status in NO_BODY or exchange.method == "HEAD"
                self._answering.begin(exchange.answer_headers, "bare" if bare else "answering")
            is_whole = self._answering.take_body()
            if exchange.answer_headers.get("content-type", "").startswith("text/event-stream"):
                yield from self._events(at, exchange)
            if not is_whole:
                return
            exchange.answered_at, exchange.answer = at, _plain(exchange, self._answering.end())
            self._waiting.popleft()
            yield exchange

    def _upgrade(self, at: float, exchange: Exchange) -> Iterator[Record]:
        exchange.answered_at = at
        self._waiting.popleft()
        self._sockets = {by: _Socket(exchange, by_client=by) for by in (True, False)}
        yield exchange
        for by, half in ((True, self._asking), (False, self._answering)):
            yield from self._sockets[by].read(at, bytes(half.data))

    def _events(self, at: float, exchange: Exchange) -> Iterator[Record]:
        *whole, rest = bytes(self._answering.body).split(b"\n\n")
        self._answering.body = bytearray(rest)
        for event in whole:
            for line in event.decode().splitlines():
                if line.startswith("data: "):
                    yield Said(at, False, exchange.path, exchange.headers, line.removeprefix("data: "))


class _Half:
    """One direction of HTTP: what is not read yet, and the body that is coming."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.body = bytearray()
        self.length: _Length | None = None  # of the body that is coming; None between messages

    def head(self) -> tuple[str, Headers] | None:
        """The first line and the headers, once they are there."""
        before, found, after = bytes(self.data).partition(HEAD_END)
        if not found:
            return None
        self.data = bytearray(after)
        first, *lines = before.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return first, {name.strip().lower(): value.strip() for name, value in pairs}

    def begin(self, headers: Headers, kind: Literal["asking", "answering", "bare"]) -> None:
        if kind == "bare":
            self.length = 0
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            self.length = "chunked"
        elif "content-length" in headers:
            self.length = int(headers["content-length"])
        else:
            self.length = 0 if kind == "asking" else "close"

    def take_body(self) -> bool:
        """Whether it is whole now."""
        if self.length == "chunked":
            return self._take_chunks()
        wanted = len(self.data) if self.length == "close" else int(self.length or 0) - len(self.body)
        self.body += self.data[:wanted]
        del self.data[:wanted]
        return self.length != "close" and len(self.body) >= int(self.length or 0)

    def _take_chunks(self) -> bool:
        while (found := re.match(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n", self.data)) is not None:
            size, begin = int(found[1], 16), found.end()
            if len(self.data) < begin + size + 2:
                return False
            self.body += self.data[begin : begin + size]
            del self.data[: begin + size + 2]
            if size == 0:
                return True
        return False

    def end(self) -> bytes:
        whole, self.body, self.length = bytes(self.body), bytearray(), None
        return whole


class _Socket:
    """One direction of a WebSocket."""

    def __init__(self, exchange: Exchange, *, by_client: bool) -> None:
        self._exchange, self._by_client = exchange, by_client
        self._protocol = Protocol(Side.SERVER if by_client else Side.CLIENT, state=State.OPEN, max_size=None)
        self._fragments: list[bytes] = []
        self._is_text = True

    def read(self, at: float, data: bytes) -> Iterator[Record]:
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                yield from self._take(at, frame)

    def _take(self, at: float, frame: Frame) -> Iterator[Record]:
        if frame.opcode is not Opcode.CONT:
            self._fragments, self._is_text = [], frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            whole = b"".join(self._fragments)
            text: str | bytes = whole.decode("utf-8", "replace") if self._is_text else whole
            yield Said(at, self._by_client, self._exchange.path, self._exchange.headers, text)


def _plain(exchange: Exchange, body: bytes) -> bytes:
    zipped = exchange.answer_headers.get("content-encoding") == "gzip"
    return gzip.decompress(body) if zipped else body
