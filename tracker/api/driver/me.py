"""`/v1/drivers/me`: what is stored about a driver, for the driver, with the driver's token."""

from typing import Final, Literal

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from tracker.api.allowance import take_allowance
from tracker.api.answers.drivers import DriverAnswer, driver_answer
from tracker.api.answers.track_stream import stream_track
from tracker.api.describe import endpoint
from tracker.api.driver.login import driver_of_request
from tracker.api.json_bodies import answer, query
from tracker.api.pagination import PageQuery, decode_cursor, page
from tracker.database import drivers as rows
from tracker.database.fixes import driver_windows
from tracker.database.links import OpeningForDriver, select_openings_for_driver
from tracker.domain.driver.duty import Duty, DutyInterval
from tracker.domain.order import Driver
from tracker.errors import NotFound
from tracker.messages import AwareTime, Time, rfc3339, rfc3339_or_none
from tracker.node import Node, current_node

CALL_COST: Final = 10.0  # of the allowance of requests
EXPORT_COST: Final = 300.0
INTERVALS_SHOWN: Final = 500
MEDIA: Final = {
    "geojson": "application/geo+json",
    "gpx": "application/gpx+xml",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}

blueprint = Blueprint("me", __name__)


class DutyIntervalAnswer(Struct, frozen=True):
    """A time off duty or on a break."""

    duty: Duty
    """`off` or `on_break`."""
    begun_at: Time
    """When it began."""
    ended_at: Time | None
    """When it ended. Null if it lasts."""

    @classmethod
    def of(cls, interval: DutyInterval) -> "DutyIntervalAnswer":
        return cls(interval.duty, rfc3339(interval.begins), rfc3339_or_none(interval.ends))


class MeAnswer(Struct, frozen=True, kw_only=True):
    """What the service stores about a driver."""

    driver: DriverAnswer
    """The driver as the merchant sees them: names, newest position, open orders, duty and device."""
    first_fix_at: Time | None
    """Time of the oldest stored position. Null if there is none."""
    last_fix_at: Time | None
    """Time of the newest stored position. Null if there is none."""
    fixes_kept_days: int
    """Days after which positions are deleted."""
    notes_kept_days: int
    """Days after an order's end, after which the driver's notes, reasons and proofs about it are deleted."""
    assignments: int
    """Number of orders that the driver got, each assignment counted."""
    duty_intervals: list[DutyIntervalAnswer]
    """The newest 500 times off duty or on a break, newest first."""


class OpeningAnswer(Struct, frozen=True):
    """An opening of a tracking link while the driver had its order."""

    at: Time
    """When a customer opened it."""
    order_id: str
    """Id of the order."""
    reference: str | None
    """The merchant's own number of the order. Null if not given."""


class OpeningPage(Struct, frozen=True):
    """A page of openings, newest first."""

    items: list[OpeningAnswer]
    """Openings of this page."""
    next: str | None
    """Cursor of the next page. Null on the last one."""


class OwnTrackQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of the driver's own track."""

    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Fixes recorded at or after this time."""
    to: AwareTime | None = None
    """Fixes recorded before this time."""
    include: Literal["rejected"] | None = None
    """Add the doubted fixes, each with its reason."""


@blueprint.get("/v1/drivers/me")
@endpoint(answer=MeAnswer, by_driver=True)
async def get_me() -> Response:
    """Get what is stored about the driver of this token."""
    node = current_node()
    driver = await _authorized(node, CALL_COST)
    activity = (await rows.select_driver_activity(node.database, [driver.id])).get(driver.id, rows.Activity())
    record = await rows.select_driver_record(node.database, driver.number)
    times = await rows.select_duty_times(node.database, driver.number)
    newest = times.intervals[: -INTERVALS_SHOWN - 1 : -1]
    silence = node.fleet.silence.of(driver.id, activity)
    is_online = driver.id in await node.fleet.online([driver.id])
    me = MeAnswer(
        driver=driver_answer(driver, activity, online=is_online, silence=silence),
        first_fix_at=rfc3339_or_none(record.first_fix_at),
        last_fix_at=rfc3339_or_none(record.last_fix_at),
        fixes_kept_days=node.config.retention_days,
        notes_kept_days=node.config.customer_retention_days,
        assignments=record.assignments,
        duty_intervals=[DutyIntervalAnswer.of(one) for one in newest],
    )
    return await _if_still_valid(node, answer(me))


@blueprint.get("/v1/drivers/me/track.<form>")
@endpoint(query=OwnTrackQuery, media=tuple(MEDIA.values()), by_driver=True)
async def get_my_track(form: str) -> Response:
    """Export the driver's own positions as `.geojson`, `.gpx`, `.csv` or `.ndjson`, as a stream."""
    node = current_node()
    driver = await _authorized(node, EXPORT_COST)
    if form not in MEDIA:
        raise NotFound("track format")
    wanted = query(OwnTrackQuery)
    windows = driver_windows(driver.number, wanted.from_, wanted.to)
    track = await stream_track(node.database, driver, windows, form, rejected=wanted.include == "rejected")
    return await _if_still_valid(node, track)


@blueprint.get("/v1/drivers/me/openings")
@endpoint(query=PageQuery, answer=OpeningPage, by_driver=True)
async def list_my_openings() -> Response:
    """List when customers opened the tracking links of the driver's orders, while the driver had them."""
    node = current_node()
    driver, wanted = await _authorized(node, CALL_COST), query(PageQuery)
    below = decode_cursor(wanted.cursor)
    found = await select_openings_for_driver(node.database, driver.number, below, wanted.limit + 1)
    whole = page(found, wanted.limit, _opening, lambda one: (one.at, one.id))
    return await _if_still_valid(node, answer(whole))


def _opening(opening: OpeningForDriver) -> OpeningAnswer:
    return OpeningAnswer(rfc3339(opening.at), opening.order_id, opening.reference)


async def _authorized(node: Node, cost: float) -> Driver:
    """Return the driver of the token. Raises Unauthenticated, RateLimited."""
    driver = await driver_of_request(node)
    detail = "Too many requests of this driver; retry later."
    take_allowance(node.request_rates, driver.id, detail, amount=cost)
    return driver


async def _if_still_valid(node: Node, read: Response) -> Response:
    """Return what was read, unless its token was revoked meanwhile, on any node. Raises Unauthenticated."""
    await driver_of_request(node)
    return read
