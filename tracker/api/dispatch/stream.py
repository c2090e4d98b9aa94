"""`WS /v1/fleet/stream`: every driver and every open order, live, for dispatchers."""

import asyncio
from typing import Final

import msgspec
import structlog
from quart import Blueprint, websocket

from tracker.api.allowance import take_allowance
from tracker.api.auth import (
    Credential,
    credential_of_request,
    find_api_key,
    session_token,
    valid_api_key,
)
from tracker.api.client_backoff import await_backoff, record_violations
from tracker.api.describe import endpoint
from tracker.api.errors import CloseConnection, close_code, problem_of
from tracker.database.credentials.api_keys import ApiKey
from tracker.database.dispatch.audit import AuditEntry
from tracker.domain.area import Area
from tracker.errors import ForeignOrigin, StorageUnavailable, TooManyConnections, TrackerError
from tracker.live.board.subscription import FleetSubscription
from tracker.messages import ErrorReply, Ping, Pong, rfc3339
from tracker.messages.dispatchers import DISPATCHER_BYTES, DispatcherHello, FromDispatcher, Viewport
from tracker.node import Node, current_node
from tracker.rate_limits import RateLimit
from tracker.system.tracebacks import clear_traceback
from tracker.websocket.accept import Disconnected, Frame, Socket, accept, refuse

HELLO_TIMEOUT_S: Final = 5.0
CHECK_EVERY_S: Final = 5.0  # whether the key or the session has ended
MESSAGES_AT_ONCE: Final = 60  # of one connection; pages send a viewport for each movement of the map
MESSAGES_PER_S: Final = 5.0
SUBPROTOCOL: Final = "tracker.v1"

blueprint = Blueprint("dispatch_stream", __name__)
log = structlog.get_logger()
_decoder: Final = msgspec.json.Decoder(FromDispatcher)


@blueprint.websocket("/v1/fleet/stream")
@endpoint(raises=(ForeignOrigin, TooManyConnections))
async def stream_fleet() -> None:
    """Stream every driver and every open order over a WebSocket: a snapshot in parts, then what changes.

    The API key comes as `Authorization: Bearer`, in a first message `hello`, or as the session of a browser.
    Updates come at most once a second. `/asyncapi.json` describes the messages.
    """
    node = current_node()
    try:
        if node.fleet.draining:
            raise StorageUnavailable("The server is shutting down; reconnect.")
        has_credential = "Authorization" in websocket.headers or session_token() is not None
        credential = credential_of_request() if has_credential else None
        key = None if credential is None else await _log_in(node, credential)
    except TrackerError as error:
        await _reject(error)
        return
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in websocket.requested_subprotocols else None
    socket = await accept(websocket, subprotocol, DISPATCHER_BYTES)
    try:
        if credential is None or key is None:
            credential = await _await_hello(socket)
            key = await _log_in(node, credential)
        with record_violations(node, socket, credential.secret):
            await _serve(node, socket, credential, key)
    except Disconnected:
        pass
    except CloseConnection as closing:
        await socket.close(closing.code, closing.reason)
    except TrackerError as error:
        await socket.close(close_code(error), _code_of(error))
    except Exception as error:
        log.error("dispatch_stream_crashed", exc_info=error)
        await socket.close(1011, "our_fault")


stream_fleet.needed_scope = "read"  # type: ignore[attr-defined]  # for api.docs.openapi


async def _log_in(node: Node, credential: Credential) -> ApiKey:
    """Return the key, after the client back-off. Raises Unauthenticated, RateLimited, StorageUnavailable."""
    await await_backoff(node, credential.secret)
    key = await find_api_key(node, credential)
    take_allowance(node.request_rates, key.id, "Too many requests with this API key; retry later.")
    return key


async def _reject(error: TrackerError) -> None:
    """Reject with an HTTP status; accept and close for browsers, whose scripts see close codes only."""
    if "Origin" not in websocket.headers:
        raise error
    await refuse(websocket, close_code(error), _code_of(error))


def _code_of(error: TrackerError) -> str:
    return problem_of(type(error)).code.replace("-", "_")


async def _await_hello(socket: Socket) -> Credential:
    """Return the key of the first message. Raises CloseConnection if it is late or not a hello."""
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            message = _decode(await socket.receive())
    except TimeoutError:
        raise CloseConnection(4008, "no_hello") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CloseConnection(4000, "bad_request") from error
    if not isinstance(message, DispatcherHello):
        raise CloseConnection(4008, "no_hello")
    return Credential(message.key.strip())


def _decode(frame: str | bytes) -> FromDispatcher:
    if isinstance(frame, bytes):
        raise CloseConnection(1003, "wrong_kind")
    message: FromDispatcher = _decoder.decode(frame)
    return message


async def _serve(node: Node, socket: Socket, credential: Credential, key: ApiKey) -> None:
    board = node.fleet.board
    subscription = await board.subscribe(key.id)
    node.audit.add(AuditEntry(node.now(), key.id, "lookup", stream_fleet.__name__, []))
    try:
        if await valid_api_key(node, credential) is None:  # revoked meanwhile
            raise CloseConnection(4011, "revoked")
        await _Connection(node, socket, credential, subscription).run()
    finally:
        board.unsubscribe(subscription)


class _Connection:
    """One dispatcher's WebSocket."""

    def __init__(
        self, node: Node, socket: Socket, credential: Credential, subscription: FleetSubscription
    ) -> None:
        self._node, self._socket, self._credential = node, socket, credential
        self._subscription = subscription
        self._message_rate = RateLimit(MESSAGES_AT_ONCE, MESSAGES_PER_S)

    async def run(self) -> None:
        """Serve until the key ends, the node stops, or the peer leaves or violates the protocol."""
        closing: CloseConnection | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._receive()), tasks.create_task(self._check())]
                await self._send()
                for task in others:
                    task.cancel()
        except* Disconnected as group:
            clear_traceback(group)
        except* CloseConnection as group:
            found = group.exceptions[0]
            assert isinstance(found, CloseConnection)
            closing = CloseConnection(found.code, found.reason)
            clear_traceback(group)
        if closing is not None:
            raise closing

    async def _send(self) -> None:
        while (text := await self._subscription.next()) is not None:
            await self._socket.send(Frame(text))
        await self._socket.close(1012, "restarting")

    async def _check(self) -> None:
        """End the connection soon after its key is revoked or its session has ended."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                key = await valid_api_key(self._node, self._credential)
            except StorageUnavailable:
                continue  # dispatchers see the drivers move while the database is away
            if key is None:
                raise CloseConnection(4011, "revoked")

    async def _receive(self) -> None:
        while True:
            frame = await self._socket.receive()
            if not self._message_rate.try_take("", 1.0, asyncio.get_running_loop().time()):
                raise CloseConnection(4103, "rate_limited")
            try:
                self._handle(_decode(frame))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                detail = "Not a message of a dispatcher; see /asyncapi.json."
                self._reply(ErrorReply(None, "bad_message", detail))

    def _handle(self, message: FromDispatcher) -> None:
        match message:
            case Viewport(bbox=None):
                self._subscription.look_at(None)
            case Viewport(bbox=(west, south, east, north)):
                if south > north or max(abs(south), abs(north)) > 90.0:
                    detail = "`bbox` must be west, south, east, north in degrees with south <= north."
                    self._reply(ErrorReply(None, "bad_bbox", detail))
                else:
                    self._subscription.look_at(Area(west, south, east, north))
            case Ping(n=n):
                self._reply(Pong(n, rfc3339(self._node.now())))

    def _reply(self, message: ErrorReply | Pong) -> None:
        self._subscription.reply(msgspec.json.encode(message).decode())
