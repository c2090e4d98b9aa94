"""`/v1/orders/…/links`: create, list and revoke the tracking links of an order."""

from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.client_info import public_path
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import RequestBody, answer, body, query
from tracker.api.merchant.responses import LinkAnswer, OpenAnswer, Page, link_answer, link_url, open_answer
from tracker.api.pagination import PageQuery, decode_cursor, page
from tracker.database import Connection
from tracker.database.links import select_link, select_link_opens, select_links
from tracker.domain.link import Link
from tracker.errors import NotFound
from tracker.messages import AwareTime
from tracker.node import current_node

blueprint = Blueprint("links", __name__)


class NewLinkBody(RequestBody, frozen=True, kw_only=True):
    expires_at: AwareTime | None = None
    """When the link ends. Default: two hours after the order is over."""


@blueprint.post("/v1/orders/<order_id>/links")
@require_scope("orders")
@endpoint(body=NewLinkBody, answer=LinkAnswer, status=201, creates=True)
async def create_link(order_id: str) -> Response:
    """Create a tracking link; it ends at expires_at, at the latest two hours after the order."""
    wanted = await body(NewLinkBody, optional=True)
    node = current_node()

    async def create(connection: Connection) -> Creation:
        _, link = await node.orders.add_link(connection, order_id, wanted.expires_at)
        location = public_path(f"/v1/orders/{order_id}/links/{link.id}")
        return Creation(link_answer(link, link_url(node, link.id)), headers={"Location": location})

    return await create_once(create)


@blueprint.get("/v1/orders/<order_id>/links")
@require_scope("read")
@endpoint(answer=Page[LinkAnswer])
async def list_links(order_id: str) -> Response:
    """List the tracking links of an order, oldest first, with how often each was opened."""
    node = current_node()
    await node.orders.get(order_id)
    links = await select_links(node.database, order_id)
    return answer(Page([link_answer(link, link_url(node, link.id)) for link in links], None))


@blueprint.get("/v1/orders/<order_id>/links/<link_id>")
@require_scope("read")
@endpoint(answer=LinkAnswer)
async def get_link(order_id: str, link_id: str) -> Response:
    """Get a tracking link, with how often it was opened."""
    node = current_node()
    return answer(link_answer(await _require_link(order_id, link_id), link_url(node, link_id)))


@blueprint.get("/v1/orders/<order_id>/links/<link_id>/opens")
@require_scope("read")
@endpoint(query=PageQuery, answer=Page[OpenAnswer], personal=True)
async def list_opens(order_id: str, link_id: str) -> Response:
    """List the last 1,000 openings of a link, newest first, without personal data."""
    node, wanted = current_node(), query(PageQuery)
    below = decode_cursor(wanted.cursor)
    await _require_link(order_id, link_id)
    rows = await select_link_opens(node.database, link_id, below, wanted.limit + 1)
    return answer(page(rows, wanted.limit, open_answer, lambda row: (row.at, row.id)))


@blueprint.delete("/v1/orders/<order_id>/links/<link_id>")
@require_scope("orders")
@endpoint(status=204)
async def revoke_link(order_id: str, link_id: str) -> Response:
    """Revoke a tracking link. Pages that it opened end at once. Idempotent."""
    node = current_node()
    if await node.orders.revoke_link(order_id, link_id):
        node.fleet.views.link_revoked(order_id, link_id)
    return Response(status=204)


async def _require_link(order_id: str, link_id: str) -> Link:
    """Return a link of the order. Raises NotFound, also for a link of another order."""
    link = await select_link(current_node().database, link_id)
    if link is None or link.order_id != order_id:
        raise NotFound("tracking link")
    return link
