"""`WS /v1/track/<token>/stream`: the live view of a tracking link over a WebSocket."""

import asyncio
from typing import Final

import msgspec
from quart import Blueprint, websocket

from tracker.api.client_backoff import await_backoff, record_violations
from tracker.api.client_info import client_info
from tracker.api.describe import endpoint
from tracker.api.errors import CloseConnection, close_code, problem_of
from tracker.api.tracking.notes import add_note
from tracker.api.tracking.session import TrackingSession, open_session
from tracker.errors import TooManyConnections, TrackerError
from tracker.live.delivery.subscription import Outgoing
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
from tracker.node import Node, current_node
from tracker.rate_limits import RateLimit
from tracker.system.tracebacks import clear_traceback
from tracker.websocket.accept import Disconnected, Socket, accept, refuse

MESSAGES_AT_ONCE: Final = 60  # of one connection; pages send `seen` twice a second
MESSAGES_PER_S: Final = 10.0
MSGPACK: Final = "tracker.v1.msgpack"
SUBPROTOCOLS: Final = ("tracker.v1", MSGPACK)

blueprint = Blueprint("tracking_stream", __name__)
_json: Final = msgspec.json.Decoder(FromCustomer)
_msgpack: Final = msgspec.msgpack.Decoder(FromCustomer)


@blueprint.websocket("/v1/track/<token>/stream")
@endpoint(raises=(TooManyConnections,))
async def stream(token: str) -> None:
    """Stream a snapshot, or what changed since the cursor, and then each change over a WebSocket.

    It ends with the order or the link. `?cursor=` continues an earlier stream. With the subprotocol
    `tracker.v1.msgpack` the same messages come as MessagePack.
    """
    node, address = current_node(), client_info().address
    try:
        await await_backoff(node, token, address)
        cursor, visit = websocket.args.get("cursor", ""), websocket.args.get("visit", "")
        async with open_session(node, token, "ws", cursor, visit) as session:
            subprotocol = next(
                (name for name in websocket.requested_subprotocols if name in SUBPROTOCOLS), None
            )
            socket = await accept(websocket, subprotocol, NOTE_BYTES)
            with record_violations(node, socket, token, address):
                await _Connection(node, socket, session, binary=subprotocol == MSGPACK).run()
    except TrackerError as error:
        await _reject(error)


async def _reject(error: TrackerError) -> None:
    """Reject with an HTTP status; accept and close for browsers, whose scripts see close codes only."""
    if "Origin" not in websocket.headers:
        raise error
    await refuse(websocket, close_code(error), problem_of(type(error)).code.replace("-", "_"))


class _Connection:
    """One customer's WebSocket."""

    def __init__(self, node: Node, socket: Socket, session: TrackingSession, *, binary: bool) -> None:
        self._node, self._socket, self._session, self._binary = node, socket, session, binary
        self._message_rate = RateLimit(MESSAGES_AT_ONCE, MESSAGES_PER_S)
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve until the order or link ends, the node stops, or the peer leaves or violates the protocol."""
        self._session.begin()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                listener = self._tasks.create_task(self._receive())
                await self._send()
                listener.cancel()
        except* Disconnected as group:
            clear_traceback(group)
        except* CloseConnection as group:
            closing = group.exceptions[0]
            assert isinstance(closing, CloseConnection)
            clear_traceback(group)
            await self._socket.close(closing.code, closing.reason)

    async def _send(self) -> None:
        while (outgoing := await self._session.next()) is not None:
            await self._socket.send(outgoing.frame(binary=self._binary))
            if isinstance(outgoing.message, End):
                await self._close(outgoing.message)
                return
        await self._socket.close(1012, self._node.fleet.restart.reason())

    async def _close(self, end: End) -> None:
        if end.reason in {"revoked", "expired"}:
            await self._socket.close(4011, "revoked")
        else:
            await self._socket.close(1000, "over")

    async def _receive(self) -> None:
        """Receive messages and wait for nothing else, so that they cannot accumulate."""
        while True:
            frame = await self._socket.receive()
            if not self._message_rate.try_take("", 1.0, asyncio.get_running_loop().time()):
                raise CloseConnection(4103, "rate_limited")
            match self._decode(frame):
                case Seen(cursor=cursor):
                    self._session.subscription.confirm(cursor)
                case Ping(n=n):
                    pong = Pong(n, rfc3339(self._node.now()))
                    self._session.subscription.reply(Outgoing(pong))
                case CustomerNote(text=text):
                    self._tasks.create_task(self._forward_note(text))

    def _decode(self, frame: str | bytes) -> FromCustomer | None:
        """Decode a frame, or return None: the page may be newer than this service. Raises CloseConnection."""
        if isinstance(frame, bytes) is not self._binary:
            raise CloseConnection(1003, "wrong_kind")
        if (len(frame) if isinstance(frame, bytes) else len(frame.encode())) > NOTE_BYTES:
            raise CloseConnection(1009, "too_big")
        try:
            message: FromCustomer = (
                _msgpack.decode(frame) if isinstance(frame, bytes) else _json.decode(frame)
            )
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        return message

    async def _forward_note(self, text: str) -> None:
        try:
            await add_note(self._node, self._session.open_link, text)
        except TrackerError as error:
            code = problem_of(type(error)).code.replace("-", "_")
            self._session.subscription.reply(Outgoing(ErrorReply(None, code, str(error))))
