"""`GET /v1/fleet/events`: the stream of the fleet as server-sent events, where WebSockets are blocked."""

from collections.abc import AsyncIterator
from random import random
from time import monotonic
from typing import Final

import msgspec
from quart import Blueprint, Response, g, request

from tracker.api.auth import Credential, require_scope, valid_api_key
from tracker.api.describe import endpoint
from tracker.api.json_bodies import query
from tracker.domain.area import Area
from tracker.errors import FieldError, InvalidFields, StorageUnavailable, TooManyConnections
from tracker.node import Node, current_node

CHECK_EVERY_S: Final = 5.0  # whether the key or the session has ended
RETRY_MS: Final = 2_000  # until a client reconnects
SPREAD_MS: Final = 15_000  # over which clients reconnect after a node stops
TYPE_AT: Final = len('{"type":"')  # in each message
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx must not buffer
}

blueprint = Blueprint("dispatch_events", __name__)


class FleetQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The viewport, which a stream of events cannot change."""

    bbox: str | None = None
    """West, south, east, north in degrees: positions come only of drivers in it. Default: everywhere."""


@blueprint.get("/v1/fleet/events")
@require_scope("read")
@endpoint(
    query=FleetQuery, media=("text/event-stream",), answer=None, personal=True, raises=(TooManyConnections,)
)
async def stream_fleet_events() -> Response:
    """Stream every driver and every open order as server-sent events, with the messages of the WebSocket.

    `event:` is the type and `data:` the message. A connection begins with a snapshot.
    """
    node, viewport = current_node(), _viewport(query(FleetQuery).bbox)
    if request.method == "HEAD":
        return Response(status=200, headers=HEADERS)
    chunks = _chunks(node, g.api_key.id, g.credential, viewport)
    response = Response(_prepend(await anext(chunks), chunks), headers=HEADERS)
    response.timeout = None
    return response


async def _prepend(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the first chunk, awaited early so that errors precede the response, and the rest."""
    yield first
    async for chunk in rest:
        yield chunk


async def _chunks(
    node: Node, key_id: str, credential: Credential, viewport: Area | None
) -> AsyncIterator[bytes]:
    subscription, checked_at = await node.fleet.board.subscribe(key_id), monotonic()
    try:
        if viewport is not None:
            subscription.look_at(viewport)
        yield b"retry: %d\n\n" % RETRY_MS
        while (text := await subscription.next()) is not None:
            if monotonic() - checked_at > CHECK_EVERY_S:
                checked_at = monotonic()
                if not await _is_valid(node, credential):
                    return
            yield f"event: {text[TYPE_AT : text.index('"', TYPE_AT)]}\ndata: {text}\n\n".encode()
        yield b"retry: %d\n\n" % (random() * SPREAD_MS)
    finally:
        node.fleet.board.unsubscribe(subscription)


async def _is_valid(node: Node, credential: Credential) -> bool:
    try:
        return await valid_api_key(node, credential) is not None
    except StorageUnavailable:
        return True  # dispatchers see the drivers move while the database is away


def _viewport(bbox: str | None) -> Area | None:
    """Return the area. Raises InvalidFields."""
    if bbox is None:
        return None
    try:
        west, south, east, north = map(float, bbox.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        rule = "must be west,south,east,north in degrees with south <= north"
        raise InvalidFields([FieldError("bbox", rule)])
    return Area(west, south, east, north)
