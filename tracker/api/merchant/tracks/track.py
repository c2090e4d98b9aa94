"""`/v1/orders/…/track`: the track of an order, or where the order was at one time."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from quart import Blueprint, Response, request

from tracker.api.answers.drivers import rounded
from tracker.api.answers.track_export import (
    TrackFix,
    read_track_page,
    track_fix,
)
from tracker.api.answers.track_stream import stream_track
from tracker.api.auth import require_scope
from tracker.api.compression import accepts_gzip
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, query
from tracker.api.merchant.queries import TrackQuery
from tracker.api.merchant.responses import Page
from tracker.api.pagination import decode_cursor, encode_cursor
from tracker.database import Reads
from tracker.database import fixes as rows
from tracker.database.events.timeline import TimelineEntry, select_timeline
from tracker.database.fixes import Window
from tracker.domain.order import Order, OrderStatus
from tracker.errors import NotFound
from tracker.messages import Position, Time, rfc3339
from tracker.node import current_node

MAX_COUNTED: Final = 100_000  # fixes; counting them takes some 20 ms. Longer tracks have no ETag
FORMAT_VERSION: Final = 2  # version of the formats, part of each ETag; increment it when one changes
MAX_AHEAD: Final = timedelta(seconds=60)  # how far `at` may lie in the future
BY_ACCEPT: Final = {
    "application/geo+json": "geojson",
    "application/gpx+xml": "gpx",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/json": "json",
}
_STATUS_OF_KIND: Final = {"unassigned": OrderStatus.CREATED} | {
    status.value: status for status in OrderStatus
}

blueprint = Blueprint("track", __name__)


class WhereAnswer(msgspec.Struct, frozen=True):
    at: Time
    """The requested time."""
    status: OrderStatus
    """Status of the order at that time."""
    position: Position
    """The last believed fix up to that time."""


@blueprint.get("/v1/orders/<order_id>/track")
@blueprint.get("/v1/orders/<order_id>/track.<extension>")
@require_scope("read")
@endpoint(
    query=TrackQuery,
    answer=(Page[TrackFix], WhereAnswer),
    media=tuple(BY_ACCEPT),
    others={304: None},
    personal=True,
)
async def get_track(order_id: str, extension: str | None = None) -> Response:
    """Get the track of an order from assignment to completion; with at, the position at one time.

    The extension (`.geojson`, `.gpx`, `.csv`, `.ndjson`, `.json`) or `Accept` chooses the format; the default
    is GeoJSON. `.json` comes in pages. Every other format holds the whole track and is streamed.

    A new segment begins after a gap of more than 120 s and after a change of driver. GPX then has a new
    `trkseg`, and GeoJSON is a MultiLineString with nested `coordTimes`. Lines are cut at the antimeridian.
    """
    accepted = request.accept_mimetypes.best_match(BY_ACCEPT, default="application/geo+json")
    form = extension or BY_ACCEPT[accepted]
    if form not in BY_ACCEPT.values():
        raise NotFound("track format")
    node, wanted = current_node(), query(TrackQuery)
    order = await node.orders.get(order_id)
    reads = await node.history.reads()
    if wanted.at is not None:
        if wanted.at > node.now() + MAX_AHEAD:
            raise NotFound("position of this order")
        return answer(await _position_at(reads, order, wanted.at))
    windows = await rows.track_windows(reads, order_id, wanted.from_, wanted.to)
    etag = await _etag(reads, order, windows, form)
    is_unchanged = etag is not None and request.if_none_match.contains_weak(etag)
    response = Response(status=304) if is_unchanged else await _track(reads, order, windows, form)
    response.headers["Vary"] = "Accept, Accept-Encoding"
    if etag is not None:
        response.headers["ETag"] = f'"{etag}"'
    return response


# --- one position


async def _position_at(reads: Reads, order: Order, at: datetime) -> WhereAnswer:
    """Return the position of the order at a time. Raises NotFound if none is known."""
    timeline = await select_timeline(reads, order.id)
    windows = await rows.track_windows(reads, order.id)
    stored = await rows.last_fix_at_or_before(reads, windows, at)
    if stored is None:
        raise NotFound("position of this order")
    fix = stored.fix
    position = Position(
        fix.lat,
        fix.lon,
        rounded(fix.heading),
        rounded(fix.speed),
        rounded(fix.accuracy),
        rfc3339(fix.recorded_at),
    )
    return WhereAnswer(rfc3339(at), _status_at(timeline, at), position)


def _status_at(timeline: Sequence[TimelineEntry], at: datetime) -> OrderStatus:
    status = OrderStatus.CREATED
    for entry in timeline:
        if entry.at <= at and entry.kind in _STATUS_OF_KIND:
            status = _STATUS_OF_KIND[entry.kind]
    return status


# --- the whole track


async def _track(reads: Reads, order: Order, windows: Sequence[Window], form: str) -> Response:
    wanted = query(TrackQuery)
    rejected = wanted.include == "rejected"
    if form == "json":
        return answer(await _page(reads, windows, wanted))
    return await stream_track(reads, order, windows, form, rejected=rejected, simplify=wanted.simplify or 0.0)


async def _page(reads: Reads, windows: Sequence[Window], wanted: TrackQuery) -> Page[TrackFix]:
    rejected = wanted.include == "rejected"
    key = decode_cursor(wanted.cursor)
    found, more = await read_track_page(
        reads,
        windows,
        after=key and key[0],
        limit=wanted.limit,
        rejected=rejected,
        metres=wanted.simplify or 0.0,
    )
    following = encode_cursor(found[-1].fix.recorded_at) if found and more else None
    return Page([track_fix(stored, rejected=rejected) for stored in found], following)


async def _etag(reads: Reads, order: Order, windows: Sequence[Window], form: str) -> str | None:
    """Return an ETag of the order, its fixes and their verdicts, or None from `MAX_COUNTED` fixes on."""
    count, rejudgements = await rows.count_track_fixes(reads, windows, MAX_COUNTED)
    if count >= MAX_COUNTED:
        return None
    variant = (form, request.query_string.hex(), accepts_gzip())
    state = (FORMAT_VERSION, order.id, order.version, count, rejudgements, *variant)
    return hashlib.sha256(repr(state).encode()).hexdigest()[:32]
