"""`WS /v1/track/<token>/stream`: what the holder of a tracking link may see, as it changes."""

import asyncio
from typing import Final

import msgspec
from quart import Blueprint, websocket

from tracker.api.client_backoff import answerable, let_in
from tracker.api.client_info import visitor
from tracker.api.close import CloseConnection
from tracker.api.describe import described
from tracker.api.errors import close_code, problem_of
from tracker.api.tracking.notes import add_note
from tracker.api.tracking.session import TrackingSession, watching
from tracker.errors import TooManyConnections, TrackerError
from tracker.live.subscription import Outgoing
from tracker.messages import (
    NOTE_BYTES,
    CustomerNote,
    End,
    ErrorReply,
    FromCustomer,
    Ping,
    Pong,
    Seen,
    rfc3339,
)
from tracker.node import Node, parts
from tracker.rate_limits import Bucket
from tracker.system.tracebacks import let_go
from tracker.websocket.accept import Disconnected, Socket, accept

MESSAGES_AT_ONCE: Final = 60  # of one connection; `seen` comes twice a second
MESSAGES_PER_S: Final = 10.0
MSGPACK: Final = "tracker.v1.msgpack"
SUBPROTOCOLS: Final = ("tracker.v1", MSGPACK)

blueprint = Blueprint("tracking_stream", __name__)
_json: Final = msgspec.json.Decoder(FromCustomer)
_msgpack: Final = msgspec.msgpack.Decoder(FromCustomer)


@blueprint.websocket("/v1/track/<token>/stream")
@described(raises=(TooManyConnections,))
async def stream(token: str) -> None:
    """Stream a snapshot, or what changed since the cursor, and then each change over a WebSocket.

    It ends with the order or the link. `?cursor=` continues an earlier stream. With the subprotocol
    `tracker.v1.msgpack` the same messages come as MessagePack.
    """
    here, address = parts(), visitor().address
    try:
        await let_in(here, token, address)
        cursor, visit = websocket.args.get("cursor", ""), websocket.args.get("visit", "")
        async with watching(here, token, "ws", cursor, visit) as reader:
            subprotocol = next(
                (name for name in websocket.requested_subprotocols if name in SUBPROTOCOLS), None
            )
            socket = await accept(websocket, subprotocol, NOTE_BYTES)
            with answerable(here, socket, token, address):
                await _Connection(here, socket, reader, binary=subprotocol == MSGPACK).run()
    except TrackerError as error:
        await _refuse(error)


async def _refuse(error: TrackerError) -> None:
    """A program sees the refusal's HTTP status; a browser's script can only see a close code."""
    if "Origin" not in websocket.headers:
        raise error
    socket = await accept(websocket, None, NOTE_BYTES)
    await socket.close(close_code(error), problem_of(type(error)).word.replace("-", "_"))


class _Connection:
    """One customer's socket."""

    def __init__(self, here: Node, socket: Socket, reader: TrackingSession, *, binary: bool) -> None:
        self._here, self._socket, self._reader, self._binary = here, socket, reader, binary
        self._heard = Bucket(MESSAGES_AT_ONCE, asyncio.get_running_loop().time())
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Until the order or the link ends, this node stops, the peer goes, or sends what it must not."""
        self._reader.begin()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                listener = self._tasks.create_task(self._listen())
                await self._tell()
                listener.cancel()
        except* Disconnected as group:
            let_go(group)
        except* CloseConnection as group:
            closing = group.exceptions[0]
            assert isinstance(closing, CloseConnection)
            let_go(group)
            await self._socket.close(closing.code, closing.word)

    async def _tell(self) -> None:
        while (outgoing := await self._reader.next()) is not None:
            await self._socket.send(outgoing.frame(binary=self._binary))
            if isinstance(outgoing.message, End):
                await self._close(outgoing.message)
                return
        await self._socket.close(1012, "restarting")

    async def _close(self, end: End) -> None:
        if end.reason in {"revoked", "expired"}:
            await self._socket.close(4011, "revoked")
        else:
            await self._socket.close(1000, "over")

    async def _listen(self) -> None:
        """Never waits for anything but the customer, so that what they send cannot pile up."""
        while True:
            frame = await self._socket.receive()
            if not self._heard.take(MESSAGES_AT_ONCE, MESSAGES_PER_S, asyncio.get_running_loop().time()):
                raise CloseConnection(4103, "rate_limited")
            match self._decoded(frame):
                case Seen(cursor=cursor):
                    self._reader.subscription.saw(cursor)
                case Ping(n=n):
                    pong = Pong(n, rfc3339(self._here.now()))
                    self._reader.subscription.reply(Outgoing(pong))
                case CustomerNote(text=text):
                    self._tasks.create_task(self._pass_on(text))

    def _decoded(self, frame: str | bytes) -> FromCustomer | None:
        """None where it cannot be read: a customer's page may be newer than this service."""
        if isinstance(frame, bytes) is not self._binary:
            raise CloseConnection(1003, "wrong_kind")
        if (len(frame) if isinstance(frame, bytes) else len(frame.encode())) > NOTE_BYTES:
            raise CloseConnection(1009, "too_big")
        try:
            said: FromCustomer = _msgpack.decode(frame) if isinstance(frame, bytes) else _json.decode(frame)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        return said

    async def _pass_on(self, text: str) -> None:
        try:
            await add_note(self._here, self._reader.opened, text)
        except TrackerError as error:
            code = problem_of(type(error)).word.replace("-", "_")
            self._reader.subscription.reply(Outgoing(ErrorReply(None, code, str(error))))
