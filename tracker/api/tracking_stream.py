"""`/v1/track/<token>…`: what the holder of a tracking link may see, at once and as it changes."""

import asyncio
from contextlib import suppress
from datetime import datetime
from time import perf_counter
from typing import Final

import msgspec
import structlog
from quart import Blueprint, Response, websocket

from tracker.api.bodies import answer, body
from tracker.api.errors import close_code
from tracker.api.openapi import described
from tracker.database import links, orders
from tracker.domain.link import Link
from tracker.errors import Conflict, NotFound, StorageUnavailable, TrackerError
from tracker.hub import Outgoing, Subscription
from tracker.messages import (
    CustomerNote,
    End,
    FromCustomer,
    Heartbeat,
    Ping,
    Pong,
    Seen,
    Snapshot,
    Update,
    rfc3339,
)
from tracker.parts import Parts, parts
from tracker.sockets import Disconnected, QuartSocket, Socket

HEARTBEAT_EVERY: Final = 15.0  # seconds; the interface promises 20
UPDATE_GAP: Final = 0.5  # seconds; at most two updates a second go to one customer

log = structlog.get_logger()
blueprint = Blueprint("tracking_stream", __name__)
_decoder: Final = msgspec.json.Decoder(FromCustomer)


class NoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer wants to tell the driver."""

    text: str


class OpenLink(msgspec.Struct, frozen=True):
    """A tracking link that is good now."""

    link: Link
    order_id: str
    ends_at: datetime | None  # None: not while the order is open


async def open_link(token: str, *, count: bool = True) -> Snapshot:
    """What a link shows now. Raises NotFound for unknown, revoked and expired ones alike."""
    here = parts()
    opened = await find_link(here, token, count=count)
    return await here.fleet.snapshot(opened.order_id)


async def find_link(here: Parts, token: str, *, count: bool) -> OpenLink:
    """The link of a token, counted as opened or not. Raises NotFound."""
    link_id = here.link_tokens.link_id(token)
    link = None if link_id is None else await links.select_link(here.database, link_id)
    order = None if link is None else await orders.select_order(here.database, link.order_id)
    if link is None or order is None:
        raise NotFound("tracking link")
    if not link.is_live(order, here.now()):
        raise NotFound("tracking link")
    if count:
        await links.count_link_opening(here.database, link.id, here.now())
    return OpenLink(link, order.id, link.ends_at(order))


@blueprint.get("/v1/track/<token>")
@described(answer=Snapshot)
async def one_snapshot(token: str) -> Response:
    """The state of the order as one snapshot."""
    snapshot = await open_link(token)
    response = answer(snapshot)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.websocket("/v1/track/<token>/stream")
async def stream(token: str) -> None:
    """A snapshot, then what changes, until the order or the link ends."""
    here = parts()
    if here.fleet.draining:
        raise StorageUnavailable("This node is about to stop.")
    try:
        opened = await find_link(here, token, count="cursor" not in websocket.args)
    except TrackerError as error:
        await _refuse(error)
        return
    await websocket.accept()
    await _Watch(here, QuartSocket(websocket), opened).run()


async def _refuse(error: TrackerError) -> None:
    """A program sees the refusal's HTTP status; a browser's script can only see a close code."""
    if "Origin" not in websocket.headers:
        raise error
    await websocket.accept()
    await websocket.close(close_code(error), "forbidden_or_unknown")


class _Watch:
    """One customer's connection."""

    def __init__(self, here: Parts, socket: Socket, opened: OpenLink) -> None:
        self._here, self._socket, self._opened = here, socket, opened

    async def run(self) -> None:
        """Until the order or the link ends, this node stops, or the peer goes."""
        order_id = self._opened.order_id
        subscription, snapshot = await self._here.fleet.subscribe(order_id, self._opened.link.id)
        try:
            await self._socket.send(msgspec.json.encode(snapshot).decode())
            if snapshot.visibility == "ended":
                await self._say_end(End(snapshot.order.status))  # type: ignore[arg-type]  # an ended one
                return
            await self._tell_and_listen(subscription)
        except Disconnected:
            pass
        finally:
            self._here.fleet.unsubscribe(order_id, subscription)

    async def _tell_and_listen(self, subscription: Subscription) -> None:
        with suppress(Disconnected):  # also inside an exception group
            async with asyncio.TaskGroup() as tasks:
                listener = tasks.create_task(self._listen(subscription))
                await self._tell(subscription)
                listener.cancel()

    async def _tell(self, subscription: Subscription) -> None:
        while True:
            outgoing = await self._next(subscription)
            if outgoing is None:
                await self._socket.close(1012, "restarting")
                return
            if isinstance(outgoing.message, End):
                await self._say_end(outgoing.message)
                return
            await self._socket.send(outgoing.json())
            if isinstance(outgoing.message, Update):
                self._here.metrics.fix_to_send.observe(perf_counter() - outgoing.since)
                await asyncio.sleep(UPDATE_GAP)

    async def _next(self, subscription: Subscription) -> Outgoing | None:
        """The next message; a heartbeat goes out whenever nothing came for a while."""
        while True:
            remaining = self._remaining()
            try:
                async with asyncio.timeout(min(HEARTBEAT_EVERY, remaining)):
                    return await subscription.next()
            except TimeoutError:
                if self._remaining() <= 0.0:
                    return Outgoing(End("expired"))
                await self._send_heartbeat()

    def _remaining(self) -> float:
        """Seconds until the link expires."""
        if self._opened.ends_at is None:
            return float("inf")
        return max(0.0, (self._opened.ends_at - self._here.now()).total_seconds())

    async def _send_heartbeat(self) -> None:
        cursor = self._here.hub.cursor(self._opened.order_id)
        heartbeat = Heartbeat(cursor, rfc3339(self._here.now()))
        await self._socket.send(msgspec.json.encode(heartbeat).decode())

    async def _say_end(self, end: End) -> None:
        await self._socket.send(msgspec.json.encode(end).decode())
        if end.reason in {"revoked", "expired"}:
            await self._socket.close(4011, "revoked")
        else:
            await self._socket.close(1000, "over")

    async def _listen(self, subscription: Subscription) -> None:
        while True:
            frame = await self._socket.receive()
            try:
                message = _decoder.decode(frame)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                continue  # a customer's page may be newer than this service
            match message:
                case Seen():
                    subscription.saw(message.cursor)
                case Ping():
                    pong = Pong(message.n, rfc3339(self._here.now()))
                    await self._socket.send(msgspec.json.encode(pong).decode())
                case CustomerNote():
                    await self._pass_on(message.text)
                case Pong():
                    pass

    async def _pass_on(self, text: str) -> None:
        work = self._here.orders.add_note(self._opened.order_id, "customer", text)
        try:
            await self._here.fleet.to_the_end(work)
        except TrackerError as error:
            log.info("note_refused", why=type(error).__name__)


@blueprint.post("/v1/track/<token>/messages")
@described(body=NoteBody, status=204, raises=(Conflict,))
async def post_note(token: str) -> Response:
    """A note to the driver."""
    here = parts()
    opened = await find_link(here, token, count=False)
    note = await body(NoteBody)
    await here.fleet.to_the_end(here.orders.add_note(opened.order_id, "customer", note.text))
    return Response(status=204)
