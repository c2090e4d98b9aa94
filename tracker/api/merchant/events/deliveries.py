"""`/v1/webhooks/…/deliveries` and `…/redeliver`: what became of each event, and sending it again."""

from datetime import datetime

from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, body, query
from tracker.api.merchant.events.webhook_bodies import (
    DeliveryAnswer,
    DeliveryQuery,
    RedeliverAnswer,
    RedeliverBody,
    delivery_answer,
)
from tracker.api.merchant.events.webhooks import require_enabled, require_webhook
from tracker.api.merchant.responses import Page
from tracker.api.pagination import decode_cursor, invalid_cursor, page
from tracker.database.events.deliveries import Delivery, repeat_deliveries, select_deliveries
from tracker.database.events.webhooks import select_webhook
from tracker.errors import Conflict, NotFound
from tracker.node import current_node

blueprint = Blueprint("webhook_deliveries", __name__)


@blueprint.get("/v1/webhooks/<webhook_id>/deliveries")
@require_scope("read")
@endpoint(query=DeliveryQuery, answer=Page[DeliveryAnswer])
async def list_deliveries(webhook_id: str) -> Response:
    """List the deliveries of a webhook, the newest event first, for as long as events are kept."""
    node, wanted = current_node(), query(DeliveryQuery)
    below = _number(wanted.cursor)
    require_webhook(await select_webhook(node.database, webhook_id))
    found = await select_deliveries(node.database, webhook_id, wanted.status, below, wanted.limit + 1)
    return answer(page(found, wanted.limit, delivery_answer, _key))


@blueprint.post("/v1/webhooks/<webhook_id>/redeliver")
@require_scope("orders")
@endpoint(body=RedeliverBody, answer=RedeliverAnswer, status=202, raises=(Conflict,))
async def redeliver(webhook_id: str) -> Response:
    """Send one event again, or all that are dead; also one that the webhook never got.

    The same id and the present state of the order are sent. The attempts count anew.
    """
    wanted, node = await body(RedeliverBody, optional=True), current_node()
    async with node.database.transaction() as connection:
        require_enabled(require_webhook(await select_webhook(connection, webhook_id)))
        repeated = await repeat_deliveries(connection, webhook_id, wanted.event_id)
        if repeated is None:
            raise NotFound("event")
    node.events.wake()
    return answer(RedeliverAnswer(repeated), 202)


def _key(delivery: Delivery) -> tuple[datetime, str]:
    return delivery.recorded_at, str(delivery.event_number)


def _number(cursor: str | None) -> int | None:
    """Return the number of the event before the page. Raises InvalidFields for a malformed cursor."""
    if (key := decode_cursor(cursor)) is None:
        return None
    if not (key[1].isascii() and key[1].isdecimal() and len(key[1]) < 19):
        raise invalid_cursor()
    return int(key[1])
