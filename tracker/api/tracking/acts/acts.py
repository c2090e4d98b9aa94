"""`POST /v1/track/<token>/instructions`, `…/place` and `…/rating`: what customers do with their order."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from quart import Blueprint, Response

from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import body
from tracker.api.tracking.acts.bodies import InstructionsBody, PlaceBody, RatingBody
from tracker.api.tracking.link import OpenLink, find_link
from tracker.database import Connection
from tracker.domain.branding.brand import CustomerAct
from tracker.domain.geo import LonLat
from tracker.domain.order_rules import whole_ms
from tracker.errors import Conflict, CustomerMayNot, RateLimited
from tracker.node import Node, current_node
from tracker.orders import customer_acts
from tracker.orders.changes import OrderChange
from tracker.rate_limits import RateLimit

type Act = Callable[[Connection, str, datetime], Awaitable[OrderChange]]
"""What is done in the transaction, to the order with this id at this time."""

blueprint = Blueprint("tracking_acts", __name__)


@blueprint.post("/v1/track/<token>/instructions")
@endpoint(body=InstructionsBody, status=204, raises=(CustomerMayNot, Conflict), creates=True)
async def post_instructions(token: str) -> Response:
    """Tell the driver what to know at the door, instead of what was told before.

    403 unless the merchant's brand allows it.
    """
    open_link = await _allowed(token, "instruct")
    wanted = await body(InstructionsBody)
    return await _do(open_link, lambda *at: customer_acts.instruct(at[0], at[1], wanted.text.strip(), at[2]))


@blueprint.post("/v1/track/<token>/place")
@endpoint(body=PlaceBody, status=204, raises=(CustomerMayNot, Conflict), creates=True)
async def post_place(token: str) -> Response:
    """Move the dropoff to the door, at most 150 m from the address; 403 unless the brand allows it."""
    open_link = await _allowed(token, "move_pin")
    wanted = await body(PlaceBody)
    to = LonLat(wanted.lon, wanted.lat)
    return await _do(open_link, lambda *at: customer_acts.move_pin(at[0], at[1], to, at[2]))


@blueprint.post("/v1/track/<token>/rating")
@endpoint(body=RatingBody, status=204, raises=(CustomerMayNot, Conflict), creates=True)
async def post_rating(token: str) -> Response:
    """Rate the delivery, once it is over, with 1 to 5 stars; 403 unless the brand allows it."""
    open_link = await _allowed(token, "rate")
    wanted = await body(RatingBody)
    text = wanted.text and wanted.text.strip()
    return await _do(open_link, lambda *at: customer_acts.rate(at[0], at[1], wanted.stars, text, at[2]))


async def _allowed(token: str, act: CustomerAct) -> OpenLink:
    """Return the link if its customer may do this. Raises NotFound, RateLimited, CustomerMayNot."""
    node = current_node()
    open_link = await find_link(node, token)
    _take(node.note_bodies, open_link)  # before the body is read
    if act not in (await node.brands.current()).customer_may:
        raise CustomerMayNot(f"This shop does not let its customers {act}.")
    return open_link


async def _do(open_link: OpenLink, act: Act) -> Response:
    """Do it once, tell the driver and the watchers. Raises Conflict, InvalidFields, RateLimited."""
    node: Node = current_node()

    async def create(connection: Connection) -> Creation:
        _take(node.act_rates, open_link)
        change = await act(connection, open_link.order_id, whole_ms(node.now()))
        return Creation(None, status=204, after=lambda: node.orders.notify(change))

    return await node.fleet.shield(create_once(create, owner=open_link.link.id))


def _take(limit: RateLimit, open_link: OpenLink) -> None:
    """Take one from the link's allowance. Raises RateLimited."""
    if not limit.try_take(open_link.link.id, 1.0, asyncio.get_running_loop().time()):
        raise RateLimited("Too many changes; please wait a few seconds before the next one.")
