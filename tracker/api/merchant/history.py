"""`/v1/orders/…/history`: the timeline of an order, and its track in numbers."""

from datetime import datetime
from typing import Final, Literal

import msgspec
from quart import Blueprint, Response

from tracker.api.answers.track_export import (
    FORMATS,
)
from tracker.api.auth import require_scope
from tracker.api.client_info import base_url
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, query
from tracker.api.merchant.orders import show_order
from tracker.api.merchant.tracks.summary import Summary, summarize
from tracker.api.pagination import PageQuery, decode_cursor, invalid_cursor, page
from tracker.database import fixes as rows
from tracker.database.events.timeline import TimelineEntry, TimelineKind, select_timeline_page
from tracker.domain.order import Outcome, StopKind
from tracker.domain.proof import ProofKind
from tracker.messages import Time, Uri, rfc3339
from tracker.messages.orders import OrderAnswer
from tracker.node import current_node

DIGITS: Final = 19  # of a bigint

blueprint = Blueprint("history", __name__)


Sender = Literal["driver", "customer"]


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event in the timeline of an order."""

    at: Time
    """When it happened."""
    kind: TimelineKind
    """What happened."""
    driver_id: str | msgspec.UnsetType | None = msgspec.UNSET
    """Id of the driver who was assigned or unassigned, or who reported it."""
    reason: str | msgspec.UnsetType = msgspec.UNSET
    """Reason as text. Absent once erased."""
    outcome: Outcome | msgspec.UnsetType = msgspec.UNSET
    """Why the delivery failed, if that was reported."""
    verified: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether a driver who reported `failed` was within 200 m of the dropoff.

    Absent if no position of the 2 minutes before shows it, and for an API key's report.
    """
    override: bool | msgspec.UnsetType = msgspec.UNSET
    """True if an API key set the status although a proof was missing."""
    attempt: int | msgspec.UnsetType = msgspec.UNSET
    """Number of the attempt that began."""
    proof_id: str | msgspec.UnsetType = msgspec.UNSET
    """Id of a proof."""
    proof: ProofKind | msgspec.UnsetType = msgspec.UNSET
    """Kind of a proof."""
    stop: StopKind | msgspec.UnsetType = msgspec.UNSET
    """Where a proof was given."""
    from_: Sender | msgspec.UnsetType = msgspec.field(name="from", default=msgspec.UNSET)
    """Sender of a note; `customer` for what customers do on their page."""
    text: str | msgspec.UnsetType = msgspec.UNSET
    """Text of a note, instructions or a rating. Absent once erased."""
    lat: float | msgspec.UnsetType = msgspec.UNSET
    """Where the customer put the pin: degrees north, WGS 84."""
    lon: float | msgspec.UnsetType = msgspec.UNSET
    """Where the customer put the pin: degrees east, WGS 84."""
    distance_m: float | msgspec.UnsetType = msgspec.UNSET
    """Metres from the merchant's place to the pin."""
    stars: int | msgspec.UnsetType = msgspec.UNSET
    """Stars of a rating, 1 to 5."""
    link_id: str | msgspec.UnsetType = msgspec.UNSET
    """Id of the link that was created or revoked."""


class HistoryAnswer(msgspec.Struct, frozen=True):
    """An order, its timeline, and its track in numbers.

    The timeline comes in pages, oldest entry first.
    """

    order: OrderAnswer
    """The order."""
    timeline: list[TimelineRow]
    """What happened, oldest first."""
    next: str | None
    """Cursor of the next page. Null on the last one."""
    summary: Summary
    """The track in numbers."""
    links: dict[str, Uri]
    """Addresses of the track, by file name."""


@blueprint.get("/v1/orders/<order_id>/history")
@require_scope("read")
@endpoint(query=PageQuery, answer=HistoryAnswer, personal=True)
async def get_history(order_id: str) -> Response:
    """Get the timeline of an order, in pages, and its track in numbers."""
    node, wanted = current_node(), query(PageQuery)
    order = await node.orders.get(order_id)
    reads = await node.history.reads()
    found = await select_timeline_page(reads, order_id, _timeline_key(wanted.cursor), wanted.limit + 1)
    timeline = page(found, wanted.limit, _entry, lambda entry: (entry.at, str(entry.number)))
    windows = await rows.track_windows(reads, order_id)
    summary = await summarize(reads, windows)
    base = f"{base_url()}/v1/orders/{order_id}/track"
    links = {f"track.{extension}": f"{base}.{extension}" for extension in (*FORMATS, "json")}
    order_answer = await show_order(node, order)
    return answer(HistoryAnswer(order_answer, timeline.items, timeline.next, summary, links))


def _timeline_key(cursor: str | None) -> tuple[datetime, int] | None:
    """Return the time and number in a cursor. Raises InvalidFields."""
    if (key := decode_cursor(cursor)) is None:
        return None
    at, number = key
    if not (number.isascii() and number.isdigit() and len(number) < DIGITS):
        raise invalid_cursor()
    return at, int(number)


def _entry(entry: TimelineEntry) -> TimelineRow:
    return msgspec.convert({"at": rfc3339(entry.at), "kind": entry.kind, **entry.detail}, TimelineRow)
