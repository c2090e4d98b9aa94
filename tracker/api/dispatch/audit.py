"""`GET /v1/audit`: who changed or looked up what, by the name of the API key."""

from typing import Literal

import msgspec
from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import Id, answer, query
from tracker.api.pagination import PageQuery, invalid_cursor
from tracker.database.dispatch.audit import AuditFilter, StoredEntry, select_audit
from tracker.messages import AwareTime, Time, rfc3339
from tracker.node import current_node

LARGEST_NUMBER = 2**63 - 1

blueprint = Blueprint("dispatch_audit", __name__)


class AuditQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of the audit."""

    kind: Literal["change", "lookup"] | None = None
    """Changes or lookups only."""
    subject: Id | None = None
    """Acts on this order, driver, link or webhook."""
    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Acts at or after this time."""
    to: AwareTime | None = None
    """Acts before this time."""


class AuditAnswer(msgspec.Struct, frozen=True):
    """One act of an API key."""

    at: Time
    """When it was done."""
    key_id: str
    """Id of the API key."""
    name: str
    """Name of the API key."""
    kind: Literal["change", "lookup"]
    """Whether something was changed, or personal data looked up."""
    action: str
    """What was done: the `operationId` of the call."""
    subjects: list[str]
    """Ids of what it was done to, such as an order. Empty for lists."""


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the audit, newest first."""

    items: list[AuditAnswer]
    """Acts of this page."""
    next: str | None
    """Cursor of the next page. Null on the last one."""


@blueprint.get("/v1/audit")
@require_scope("admin")
@endpoint(query=AuditQuery, answer=AuditPage, personal=True)
async def list_audit() -> Response:
    """List who changed or looked up what, newest first, for a year.

    A change is stored together with what it changed. Lookups are those of personal data: orders, drivers,
    tracks, histories, proofs, openings of links, events and the stream of the fleet. The same lookup by the
    same key counts once an hour. The audit has ids and no names of people.
    """
    wanted = query(AuditQuery)
    found = await select_audit(
        current_node().database,
        wanted.limit + 1,
        _number(wanted.cursor),
        AuditFilter(wanted.kind, wanted.subject, wanted.from_, wanted.to),
    )
    page = found[: wanted.limit]
    return answer(
        AuditPage([_answer(one) for one in page], str(page[-1].number) if len(found) > wanted.limit else None)
    )


def _answer(entry: StoredEntry) -> AuditAnswer:
    return AuditAnswer(rfc3339(entry.at), entry.api_key, entry.name, entry.kind, entry.action, entry.subjects)


def _number(cursor: str | None) -> int | None:
    """Return the number below which to read. Raises InvalidFields."""
    if cursor is None:
        return None
    if not (
        cursor.isascii() and cursor.isdecimal() and int(cursor[:20]) <= LARGEST_NUMBER and len(cursor) < 20
    ):
        raise invalid_cursor()
    return int(cursor)
