"""`GET /v1/track/<token>/events`: the live view as server-sent events (HTML standard, 9.2)."""

from collections.abc import AsyncIterator
from typing import Final

import structlog
from quart import Blueprint, Response, request

from tracker.api.describe import endpoint
from tracker.api.tracking.link import find_link
from tracker.api.tracking.session import open_session
from tracker.errors import TooManyConnections
from tracker.live.delivery.subscription import Outgoing
from tracker.messages import End
from tracker.node import Node, current_node

RETRY: Final = 2_000  # milliseconds to wait before a reconnect
END_SUFFIX: Final = ".end"  # of the last id of a stream that ended
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx must not buffer
}

blueprint = Blueprint("tracking_events", __name__)
log = structlog.get_logger()


@blueprint.get("/v1/track/<token>/events")
@endpoint(media=("text/event-stream",), others={204: None}, raises=(TooManyConnections,))
async def events(token: str) -> Response:
    """Stream a snapshot, or what changed since the cursor, and then each change as server-sent events.

    `event:` is the type, `id:` the cursor. `Last-Event-ID` (or `?cursor=`) continues an earlier stream.
    Without it, the connection counts as an opening of the link, once for each `?visit=`. After the end of the
    order the answer is 204, which ends an EventSource.
    """
    node, cursor = current_node(), request.headers.get("Last-Event-ID") or request.args.get("cursor", "")
    open_link = await find_link(node, token)
    if open_link.is_over and cursor.endswith(END_SUFFIX) and node.hub.issued(open_link.order_id, cursor):
        return Response(status=204)
    if request.method == "HEAD":
        return Response(status=200, headers=HEADERS)
    chunks = _chunks(node, token, cursor, request.args.get("visit", ""))
    response = Response(_prepend(await anext(chunks), chunks), headers=HEADERS)
    response.timeout = None
    return response


async def _prepend(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the first chunk, awaited early so that errors precede the response, and the rest."""
    yield first
    async for chunk in rest:
        yield chunk


async def _chunks(node: Node, token: str, cursor: str, visit: str) -> AsyncIterator[bytes]:
    async with open_session(node, token, "sse", cursor, visit) as session:
        log.info("event_stream_opened")
        try:
            session.begin()
            yield b"retry: %d\n\n" % RETRY
            while (outgoing := await session.next()) is not None:
                is_end = isinstance(outgoing.message, End)
                yield _event(outgoing, session.cursor + END_SUFFIX if is_end else outgoing.cursor)
                if is_end:
                    return
            yield b"retry: %d\n\n" % (1000 * node.fleet.restart.delay_s())
        finally:
            log.info("event_stream_closed")


def _event(outgoing: Outgoing, id_: str | None) -> bytes:
    """Encode one event. JSON has no line breaks, so one `data` line is enough. Notes have no id."""
    kind = outgoing.message.__struct_config__.tag
    id_line = "" if id_ is None else f"id: {id_}\n"
    return f"event: {kind}\n{id_line}data: {outgoing.json()}\n\n".encode()
