"""`/v1/events`: the list of events, and the same as server-sent events."""

import re
from collections.abc import AsyncIterator
from random import random
from typing import Final

import msgspec
import structlog
from quart import Blueprint, Response, g, request

from tracker.api.auth import Credential, require_scope, valid_api_key
from tracker.api.client_info import base_url
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, query
from tracker.api.pagination import PAGE, Limit
from tracker.database.events.feed import select_events
from tracker.errors import CursorGone, FieldError, InvalidFields, StorageUnavailable, TooManyConnections
from tracker.messages.events import WireEvent
from tracker.node import Node, current_node

LATEST: Final = "latest"
HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 2_000  # until a client reconnects
SPREAD_MS: Final = 15_000  # over which clients reconnect after a node stops
STREAMS_PER_KEY: Final = 50
BATCH: Final = 100  # events read at once for a stream
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx must not buffer
}
_CURSOR: Final = re.compile(r"e([0-9]{1,18})", re.ASCII)

blueprint = Blueprint("event_feed", __name__)
log = structlog.get_logger()


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin."""

    after: str | None = None
    """`next` of the previous answer, or `latest` for later events only. Default: the oldest event kept."""
    limit: Limit = PAGE
    """Events of an answer."""


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin; the header `Last-Event-ID` wins."""

    after: str | None = None
    """`next` of a list, `id:` of an event, or `latest`. Default: the oldest event kept."""


class EventsAnswer(msgspec.Struct, frozen=True):
    """Events, oldest first."""

    items: list[WireEvent]
    """The events after the cursor."""
    next: str
    """Cursor of what follows. Never null: there may be more events later."""


@blueprint.get("/v1/events")
@require_scope("read")
@endpoint(query=EventQuery, answer=EventsAnswer, personal=True, raises=(CursorGone,))
async def list_events() -> Response:
    """List the events after a cursor, oldest first, at most 30 days old.

    No event is ever added before a cursor, so a program that sends `next` back as `after` misses none. Of an
    order, each event shows the status, times, driver and window of its time, and all else as it is now.
    """
    node, wanted = current_node(), query(EventQuery)
    begin = await _position(node, wanted.after)
    events = await select_events(node.database, begin, wanted.limit)
    items = await node.event_bodies.of(events, base_url())
    return answer(EventsAnswer(items, _cursor(events[-1].position if events else begin)))


@blueprint.get("/v1/events/stream")
@require_scope("read")
@endpoint(
    query=StreamQuery,
    media=("text/event-stream",),
    answer=None,
    personal=True,
    raises=(CursorGone, TooManyConnections),
)
async def stream_events() -> Response:
    """Stream the same events as server-sent events, and each new one at once.

    `event:` is the type, `id:` the cursor and `data:` the event. `Last-Event-ID` continues an earlier stream.
    A comment comes every 15 s if nothing else does. The stream ends when its key is revoked.
    """
    node, wanted = current_node(), query(StreamQuery)
    begin = await _position(node, request.headers.get("Last-Event-ID") or wanted.after)
    if node.events.streams[g.api_key.id] >= STREAMS_PER_KEY:
        raise TooManyConnections(f"At most {STREAMS_PER_KEY} streams at a time with one API key.")
    if request.method == "HEAD":
        return Response(status=200, headers=HEADERS)
    response = Response(_stream(node, g.api_key.id, g.credential, begin, base_url()), headers=HEADERS)
    response.timeout = None
    return response


def _cursor(position: int) -> str:
    return f"e{position}"


async def _position(node: Node, cursor: str | None) -> int:
    """Return the position after which to read. Raises InvalidFields, CursorGone, StorageUnavailable."""
    state = await node.events.catch_up()
    if cursor is None:
        return state.dropped
    if cursor == LATEST:
        return state.last
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidFields([FieldError("after", "not a cursor of the events; send `next`, or `latest`")])
    position = int(found[1])
    if not state.dropped <= position <= state.last:
        raise CursorGone("The events after this cursor are not kept any more; begin without `after`.")
    return position


async def _stream(
    node: Node, key_id: str, credential: Credential, position: int, base: str
) -> AsyncIterator[bytes]:
    feed, waited = node.events, True
    feed.streams[key_id] += 1
    try:
        yield b"retry: %d\n\n" % RETRY_MS
        while not feed.closing:
            if not waited:
                yield b": heartbeat\n\n"
                if await valid_api_key(node, credential) is None:
                    return
            events = await select_events(node.database, position, BATCH)
            for event, body in zip(events, await node.event_bodies.of(events, base), strict=True):
                position = event.position
                yield _chunk(body, position)
            waited = bool(events) or await feed.wait(position, HEARTBEAT_S)
        yield b"retry: %d\n\n" % (random() * SPREAD_MS)
    except StorageUnavailable:
        log.info("event_stream_interrupted")  # the client reconnects and continues
    finally:
        feed.streams[key_id] -= 1
        if not feed.streams[key_id]:
            del feed.streams[key_id]


def _chunk(event: WireEvent, position: int) -> bytes:
    """Encode one event. JSON has no line breaks, so one `data` line is enough."""
    data = msgspec.json.encode(event)
    return b"event: %s\nid: %s\ndata: %s\n\n" % (event.type.encode(), _cursor(position).encode(), data)
