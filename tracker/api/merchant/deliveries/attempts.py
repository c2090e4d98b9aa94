"""`POST /v1/orders/{id}/attempts`: a further attempt of a failed order."""

from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.client_info import public_path
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import Id, RequestBody, body
from tracker.api.merchant.order_bodies import NewWindow, window_of
from tracker.api.merchant.orders import show_order
from tracker.api.merchant.versions import etag
from tracker.database import Connection
from tracker.domain.order_rules import drivers_of
from tracker.errors import Conflict
from tracker.messages.orders import OrderAnswer
from tracker.node import current_node
from tracker.orders.attempts import NewAttempt
from tracker.orders.changes import OrderChange

blueprint = Blueprint("attempts", __name__)


class NewAttemptBody(RequestBody, frozen=True, kw_only=True):
    driver_id: Id | None = None
    """Id of the driver to assign at once. Default: nobody; the order is `created`."""
    window: NewWindow | None = None
    """When the customer expects it. Default: no window; that of the earlier attempt is over."""


@blueprint.post("/v1/orders/<order_id>/attempts")
@require_scope("orders")
@endpoint(body=NewAttemptBody, answer=OrderAnswer, status=201, creates=True, raises=(Conflict,))
async def start_attempt(order_id: str) -> Response:
    """Start a further attempt of a failed order; 409 in any other status.

    The order keeps its id and its tracking links: those that ended with the order work again, revoked ones do
    not. `attempt` rises by 1. Proofs, milestones and the PIN start anew; history and track have all attempts.
    """
    wanted, node = await body(NewAttemptBody), current_node()
    new = NewAttempt(wanted.driver_id, *window_of(wanted.window))

    async def create(connection: Connection) -> Creation:
        order = await node.orders.start_attempt(connection, order_id, new)
        return Creation(
            await show_order(node, order, connection),
            headers={"Location": public_path(f"/v1/orders/{order_id}"), "ETag": etag(order.version)},
            after=lambda: node.orders.notify(
                OrderChange(order_id, drivers_of(order), appended_to=order.driver_id)
            ),
        )

    return await create_once(create)
