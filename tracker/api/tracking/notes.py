"""`POST /v1/track/<token>/messages`: a customer's note to the driver."""

import asyncio
from typing import Annotated

import msgspec
from quart import Blueprint, Response

from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import body
from tracker.api.tracking.link import OpenLink, find_link
from tracker.database import Connection
from tracker.errors import Conflict, RateLimited
from tracker.messages import NOTE_BYTES
from tracker.node import Node, current_node

blueprint = Blueprint("tracking_notes", __name__)


class NoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer's note to the driver."""

    text: Annotated[str, msgspec.Meta(max_length=NOTE_BYTES)]
    """Note to the driver, at most 4,096 bytes of UTF-8."""


@blueprint.post("/v1/track/<token>/messages")
@endpoint(body=NoteBody, status=204, raises=(Conflict,), creates=True)
async def post_note(token: str) -> Response:
    """Send a note of at most 4,096 bytes to the driver; five at once, then one every ten seconds."""
    node = current_node()
    open_link = await find_link(node, token)
    if not node.note_bodies.try_take(open_link.link.id, 1.0, asyncio.get_running_loop().time()):
        raise RateLimited("Too many messages; please wait a few seconds before the next one.")
    note = await body(NoteBody)

    async def create(connection: Connection) -> Creation:
        _take_note(node, open_link)
        change = await node.orders.insert_note(connection, open_link.order_id, "customer", note.text)
        return Creation(None, status=204, after=lambda: node.orders.notify(change))

    return await node.fleet.shield(create_once(create, owner=open_link.link.id))


async def add_note(node: Node, open_link: OpenLink, text: str) -> None:
    """Send a note to the driver and add it to the timeline. Raises RateLimited, Conflict, InvalidFields."""
    _take_note(node, open_link)
    await node.fleet.shield(node.orders.add_note(open_link.order_id, "customer", text))


def _take_note(node: Node, open_link: OpenLink) -> None:
    """Take a note from the link's allowance; a repeated request takes none. Raises RateLimited."""
    if not node.note_rates.try_take(open_link.link.id, 1.0, asyncio.get_running_loop().time()):
        raise RateLimited("Too many messages; please wait a few seconds before the next one.")
