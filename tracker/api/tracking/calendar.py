"""`GET /v1/track/<token>/calendar.ics`: the delivery as an event for the customer's calendar (RFC 5545)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from quart import Blueprint, Response

from tracker.api.client_info import base_url
from tracker.api.describe import endpoint
from tracker.api.json_bodies import query
from tracker.api.tracking.link import link_id_of, snapshot_of
from tracker.api.tracking.reader import reader_words
from tracker.api.tracking.translations import Translations
from tracker.errors import NotFound
from tracker.messages import Snapshot
from tracker.node import current_node
from tracker.tokens import derived_id

MEDIA_TYPE: Final = "text/calendar"
STAMP: Final = "%Y%m%dT%H%M%SZ"
LINE_OCTETS: Final = 75
ESCAPES: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})

blueprint = Blueprint("tracking_calendar", __name__)


class CalendarQuery(Struct, frozen=True, forbid_unknown_fields=True):
    lang: str | None = None
    """Language of the event's title, as a BCP 47 tag; by default the customer's, then the browser's."""


class Event(Struct, frozen=True):
    """What the calendar gets: nothing that the page does not show."""

    id: str
    begins: datetime
    ends: datetime
    title: str
    address: str | None
    url: str


@blueprint.get("/v1/track/<token>/calendar.ics")
@endpoint(query=CalendarQuery, media=(MEDIA_TYPE,))
async def get_calendar(token: str) -> Response:
    """Get the delivery as a calendar event: its time window, or the forecast. 404 while neither is known."""
    query(CalendarQuery)
    node = current_node()
    snapshot, language = await snapshot_of(token)
    brand = await node.brands.current()
    words = reader_words(brand, language)
    if (times := times_of(snapshot)) is None:
        raise NotFound("time of the delivery")
    event = Event(
        derived_id("cal", link_id_of(node, token)),
        *times,
        _title(words, brand.name),
        snapshot.order.dropoff.address,
        f"{base_url()}/t/{token}",
    )
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": 'inline; filename="delivery.ics"',
        "Content-Language": words.language,
    }
    content = calendar(event, words.language, node.now())
    return Response(content, headers=headers, content_type=f"{MEDIA_TYPE}; charset=utf-8")


def times_of(snapshot: Snapshot) -> tuple[datetime, datetime] | None:
    """Return when the delivery is expected: within the window, or as forecast if that is later."""
    order, eta = snapshot.order, snapshot.eta
    if snapshot.visibility == "ended":
        return None
    found = None
    if eta is not None and eta.arrives_at:
        found = _time(eta.earliest or eta.arrives_at), _time(eta.latest or eta.arrives_at)
    window = order.window
    if window is None or not window.from_ or not window.to or _time(window.to) < _time(snapshot.now):
        return found
    is_late = eta is not None and eta.arrives_at and _time(eta.arrives_at) > _time(window.to)
    return found if is_late else (_time(window.from_), _time(window.to))


def calendar(event: Event, language: str, now: datetime) -> str:
    """Return the event as a calendar. Its times are in UTC, which every program shows by its own clock."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//order-tracker//tracking page//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{event.id}",
        f"DTSTAMP:{now.astimezone(UTC):{STAMP}}",
        f"DTSTART:{event.begins.astimezone(UTC):{STAMP}}",
        f"DTEND:{event.ends.astimezone(UTC):{STAMP}}",
        f"SUMMARY;LANGUAGE={language}:{event.title.translate(ESCAPES)}",
        *([f"LOCATION:{event.address.translate(ESCAPES)}"] if event.address else []),
        f"URL:{event.url}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{piece}\r\n" for line in lines for piece in _folded(line))


def _title(words: Translations, shop: str | None) -> str:
    return words.say("calendar.from", shop=shop) if shop else words.say("calendar.title")


def _folded(line: str) -> Iterator[str]:
    """Yield the line in pieces of at most 75 octets; each further one begins with a space."""
    piece = ""
    for character in line:
        if len((piece + character).encode()) > LINE_OCTETS:
            yield piece
            piece = " "
        piece += character
    yield piece


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
