"""`/ingest/…` and Dawarich's path: positions of existing phone apps, in their formats and with their answers.

An app resends what is not answered with 2xx, and most send nothing else meanwhile. So what the service does
not need or understand is counted and answered with 200. Only a wrong token is 401.
"""

import asyncio
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from time import monotonic
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, g, request

from tracker.api.auth import require_scope
from tracker.api.client_info import client_info
from tracker.api.describe import endpoint
from tracker.api.driver.phone_bodies import (
    ForwardedPosition,
    OsmAndQuery,
    OverlandBatch,
    OverlandReply,
    OwnTracksMessage,
    SpeedQuery,
)
from tracker.api.driver.phone_credentials import find_driver_of_app, token_of_request
from tracker.api.json_bodies import BODY_BYTES, raw_body
from tracker.database import drivers
from tracker.domain.order import Driver
from tracker.errors import NotFound, RateLimited, StorageUnavailable, TooLarge
from tracker.node import Node, current_node
from tracker.phone_apps import osmand, overland, owntracks, traccar
from tracker.phone_apps.report import SAYS_NOTHING, Format, Report, without_fix
from tracker.phone_apps.values import speed_unit

BATCH_BYTES: Final = 8_388_608  # of Overland: 17,000 fixes of 490 bytes
LARGE_BYTES: Final = 2_097_152  # a longer body waits for its turn
MESSAGE_BYTES: Final = 1_048_576  # of the others: OwnTracks sends pictures, too
LONGEST_WAIT_S: Final = 5.0  # of an app over the rate; beyond it, the app has to come back
TOO_MANY: Final = "The driver's app sends too many fixes; retry later."

blueprint = Blueprint("phone_apps", __name__)


@blueprint.post("/ingest/owntracks")
@endpoint(body=OwnTracksMessage, query=SpeedQuery, answer=list[dict[str, Any]], by_driver=True, lenient=True)
async def post_owntracks() -> Response:
    """Take a message of OwnTracks in its HTTP mode."""
    node = current_node()
    driver = await _authenticate(node, token_of_request())
    body = await _body(MESSAGE_BYTES)
    if body is None:
        report = without_fix("too_large")
    else:
        unit = speed_unit(request.args.get("speed_unit")) if request.query_string else None
        report = owntracks.parse(body, unit)
    await _take(node, driver, "owntracks", [report])
    policy = node.sampling.due(driver.id, "owntracks", node.fleet.policy(driver.id), node.now())
    return _answer(owntracks.reply(policy))


@blueprint.get("/ingest/osmand")
@endpoint(query=OsmAndQuery, by_driver=True, lenient=True)
async def get_osmand() -> Response:
    """Take a position in the query string: OsmAnd, GPSLogger, Colota."""
    return await _osmand()


@blueprint.post("/ingest/osmand")
@endpoint(query=OsmAndQuery, by_driver=True, lenient=True)
async def post_osmand() -> Response:
    """Take a position in the query string, a form or JSON: Traccar Client, GPSLogger, Colota."""
    return await _osmand()


@blueprint.get("/ingest/osmand/<driver_token>")
@endpoint(query=OsmAndQuery, by_driver=True, lenient=True)
async def get_osmand_with_token(driver_token: str) -> Response:
    """Take a position in the query string, with the driver's token in the path."""
    return await _osmand(driver_token)


@blueprint.post("/ingest/osmand/<driver_token>")
@endpoint(query=OsmAndQuery, by_driver=True, lenient=True)
async def post_osmand_with_token(driver_token: str) -> Response:
    """Take a position in the query string, a form or JSON, with the driver's token in the path."""
    return await _osmand(driver_token)


async def _osmand(path_token: str | None = None) -> Response:
    """Take one message. Where the app has no other place for it, its device id is the token."""
    node, query = current_node(), request.args.to_dict()
    token = token_of_request(path_token)
    driver = None if token is None else await _authenticate(node, token)
    body = await _body(BODY_BYTES if driver is None else MESSAGE_BYTES)
    fields = None if body is None else osmand.fields_of(query, body)
    if driver is None:
        driver = await _authenticate(node, osmand.device_id(fields or query))
    if body is None:
        report = without_fix("too_large")
    elif request.method == "HEAD" or not client_info().is_watching:
        report = without_fix("prefetch")
    else:
        report = osmand.parse(fields, node.now())
    await _take(node, driver, "osmand", [report])
    return _answer(b"", "text/plain")


@blueprint.post("/ingest/overland")
@endpoint(body=OverlandBatch, answer=OverlandReply, by_driver=True, lenient=True, raises=(TooLarge,))
async def post_overland() -> Response:
    """Take a batch of Overland. The answer empties the app's queue up to this batch."""
    return await _overland()


@blueprint.post("/api/v1/overland/batches")
@endpoint(body=OverlandBatch, answer=OverlandReply, by_driver=True, lenient=True, raises=(TooLarge,))
async def post_overland_batch() -> Response:
    """Take a batch of a program that sends to Dawarich, such as GPSLogger."""
    return await _overland()


async def _overland() -> Response:
    """Take a batch. One that is too large is 413, because 200 would make the app delete its fixes."""
    node = current_node()
    driver = await _authenticate(node, token_of_request())
    length = request.content_length
    is_small = length is not None and length <= LARGE_BYTES
    async with nullcontext() if is_small else node.admission.uploads:  # few large ones are in memory
        await _take(node, driver, "overland", overland.parse(await raw_body(BATCH_BYTES)))
    policy = node.sampling.due(driver.id, "overland", node.fleet.policy(driver.id), node.now())
    return _answer(overland.reply(policy))


@blueprint.post("/ingest/traccar")
@endpoint(body=ForwardedPosition, lenient=True, raises=(TooLarge,))
@require_scope("orders", in_query=True)
async def post_traccar() -> Response:
    """Take a position that a Traccar server forwards as JSON.

    It belongs to the driver whose `reference` is the device's `uniqueId`. The position of an unknown device
    is ignored, because the server may serve other vehicles, too.
    """
    node = current_node()
    reference, report = traccar.parse_forwarded(await raw_body(MESSAGE_BYTES))
    found = [] if reference is None else await drivers.select_drivers(node.database, 1, reference=reference)
    if reference is not None and not found:
        _count(node, "traccar", without_fix("unknown_device"))
    elif found:
        await _take(node, found[0], "traccar", [report])
    else:
        _count(node, "traccar", report)
    return _answer(b"", "text/plain")


async def _authenticate(node: Node, token: str | None) -> Driver:
    """Return the driver, once their rate admits a message. Raises Unauthenticated, RateLimited."""
    driver = await find_driver_of_app(node, token)
    await _pace(node, driver, 1)
    return driver


async def _pace(node: Node, driver: Driver, amount: int) -> None:
    """Delay an app over the rate: some of them retry a 429 at once. Raises RateLimited after a long wait."""
    rates, now = node.fix_rates, monotonic()
    g.allowance = rates, driver.id
    if (wait := rates.wait(driver.id, now)) > LONGEST_WAIT_S:
        raise RateLimited(TOO_MANY, after_s=wait)
    if (wait := rates.take(driver.id, amount, now)) > 0.0:
        await asyncio.sleep(wait)


async def _body(limit: int) -> bytes | None:
    """Return the body, or None if it is too large."""
    try:
        return await raw_body(limit)
    except TooLarge:
        return None


async def _take(node: Node, driver: Driver, format_: Format, reports: Iterable[Report]) -> None:
    """Store each report, and return after the last commit. Raises RateLimited, StorageUnavailable."""
    for report in reports:
        if len(report.readings) > 1:
            await _pace(node, driver, len(report.readings) - 1)
        _count(node, format_, report)
        await node.fleet.shield(_store(node, driver, report))


async def _store(node: Node, driver: Driver, report: Report) -> None:
    if report.readings:
        batch = await node.fleet.receive(driver, report.readings, by_app=True)
        await node.fleet.record(driver, batch)
    with suppress(NotFound, RateLimited, StorageUnavailable):  # only fixes are worth a repetition
        if report.arrives_at is not msgspec.UNSET:
            await node.fleet.set_device_arrival(driver.id, report.arrives_at)
        if report.device != SAYS_NOTHING:
            await node.fleet.states.device_reported(driver, report.device, at=report.device_at)


def _count(node: Node, format_: Format, report: Report) -> None:
    for kind, count in report.counts.items():
        node.metrics.count_messages(format_, kind, count)


def _answer(body: bytes, media: str = "application/json") -> Response:
    return Response(body, content_type=media)
