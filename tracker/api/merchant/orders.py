"""`/v1/orders`: create, list, change and assign orders, and set their status."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint, Response

from tracker.api.auth import require_scope, take_requests
from tracker.api.client_info import public_path
from tracker.api.describe import endpoint
from tracker.api.errors import details
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import answer, body, parse, query
from tracker.api.merchant.order_bodies import (
    AssignBody,
    NewOrderBody,
    NewOrdersBody,
    OrderChangeBody,
    StatusBody,
)
from tracker.api.merchant.queries import OrderQuery
from tracker.api.merchant.responses import Page, link_url, tracking_urls
from tracker.api.merchant.versions import etag, if_match, order_response
from tracker.api.pagination import decode_cursor, page
from tracker.database import Connection, Queries
from tracker.database.events.milestones import select_milestones
from tracker.database.links import select_links_of_orders
from tracker.database.orders import select_orders
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Order
from tracker.domain.order_rules import check_places
from tracker.errors import BadInput, Conflict, ForbiddenTransition, MapUnavailable
from tracker.messages import WireEta
from tracker.messages.orders import OrderAnswer, order_answer
from tracker.messages.problems import ProblemDetails
from tracker.node import Node, current_node
from tracker.orders.addresses import AddressBook, FoundPlace
from tracker.orders.changes import NewOrder
from tracker.orders.creation import CreatedOrder, require_created

blueprint = Blueprint("orders", __name__)


class BulkItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one order: the new order, or its problem."""

    status: int
    """Status that this order alone would have got: 201, 400, 422, or 503 without a map."""
    order: OrderAnswer | UnsetType = UNSET
    """The new order, if there is one."""
    problem: ProblemDetails | UnsetType = UNSET
    """What is wrong with this order; otherwise absent."""


class BulkAnswer(msgspec.Struct, frozen=True):
    items: list[BulkItem]
    """One for each order, in the sequence of the request."""


@blueprint.post("/v1/orders")
@require_scope("orders")
@endpoint(body=NewOrderBody, answer=OrderAnswer, status=201, raises=(MapUnavailable,), creates=True)
async def create_order() -> Response:
    """Create an order and its tracking link; with a driver_id, assign it at once.

    A stop needs `lat` and `lon`, or `address` alone, which the map locates; `precision` says how well. An
    address that fits nothing, or several places, gets 422 with `candidates`. The stop keeps its own text.

    Unless `anywhere` is true, the service rejects three kinds of stops: at 0, 0; on the map only with `lat`
    and `lon` swapped; and more than 100 km off the map. It accepts any other stop off the map, with
    straight-line forecasts.
    """
    wanted, node = await body(NewOrderBody), current_node()
    new = await _checked(node, wanted, AddressBook(node.geocoder))

    async def create(connection: Connection) -> Creation:
        [inserted] = await node.orders.insert(connection, [new])
        created = require_created(inserted)
        order = created.order
        return Creation(
            _created_answer(node, created),
            headers={"Location": public_path(f"/v1/orders/{order.id}"), "ETag": etag(order.version)},
            after=lambda: node.orders.notify_created([order]),
        )

    return await create_once(create)


@blueprint.post("/v1/orders/bulk")
@require_scope("orders")
@endpoint(body=NewOrdersBody, answer=BulkAnswer, creates=True)
async def create_orders() -> Response:
    """Create up to 500 orders in one transaction; the response has one item for each, in sequence.

    An order that is wrong has its `problem` and does not affect the others. An `Idempotency-Key` counts for
    the whole request, wrong orders included. Each order counts as one request of the key's allowance.
    """
    wanted, node = await body(NewOrdersBody), current_node()
    take_requests(max(0, len(wanted.orders) - 1))  # the request itself has taken one
    book = AddressBook(node.geocoder)
    checked = [await _checked_soon(node, raw, book) for raw in wanted.orders]

    async def create(connection: Connection) -> Creation:
        new = [one for one in checked if isinstance(one, NewOrder)]
        inserted = iter(await node.orders.insert(connection, new))
        results = [next(inserted) if isinstance(one, NewOrder) else one for one in checked]
        orders = [one.order for one in results if isinstance(one, CreatedOrder)]
        return Creation(
            BulkAnswer([_bulk_item(node, one) for one in results]),
            status=200,
            after=lambda: node.orders.notify_created(orders),
        )

    return await create_once(create)


async def _checked(node: Node, wanted: NewOrderBody, book: AddressBook) -> NewOrder:
    """Return the order to create. Raises InvalidFields, also for an implausible place; MapUnavailable."""
    new = wanted.order(await book.find(wanted.addresses()))
    if not wanted.anywhere:
        check_places({"pickup": new.pickup, "dropoff": new.dropoff}, node.area())
    return new


async def _checked_soon(
    node: Node, raw: msgspec.Raw, book: AddressBook
) -> NewOrder | BadInput | MapUnavailable:
    """Return one order of many, or its error, and let others have the event loop."""
    await asyncio.sleep(0)
    try:
        return await _checked(node, parse(bytes(raw), NewOrderBody), book)
    except (BadInput, MapUnavailable) as error:
        return error


def _bulk_item(node: Node, result: CreatedOrder | BadInput | MapUnavailable) -> BulkItem:
    if isinstance(result, CreatedOrder):
        return BulkItem(201, order=_created_answer(node, result))
    problem = details(result)
    return BulkItem(problem.status, problem=problem)


def _created_answer(node: Node, created: CreatedOrder) -> OrderAnswer:
    return order_answer(created.order, eta=None, tracking_url=link_url(node, created.link.id))


@blueprint.get("/v1/orders")
@require_scope("read")
@endpoint(query=OrderQuery, answer=Page[OrderAnswer], personal=True)
async def list_orders() -> Response:
    """List orders, newest first; from (inclusive) and to limit the time of creation."""
    node, wanted = current_node(), query(OrderQuery)
    found = await select_orders(
        node.database, wanted.filter(), wanted.limit + 1, decode_cursor(wanted.cursor)
    )
    answers = await _order_answers(node, found, node.database)
    return answer(
        page(found, wanted.limit, lambda order: answers[order.id], lambda order: (order.created_at, order.id))
    )


@blueprint.get("/v1/orders/<order_id>")
@require_scope("read")
@endpoint(answer=OrderAnswer, others={304: None}, personal=True)
async def get_order(order_id: str) -> Response:
    """Get an order; 304 if `If-None-Match` names its version and it has no forecast.

    A forecast changes without a new version, so an order with one is always sent whole.
    """
    return await _answer(await current_node().orders.get(order_id))


@blueprint.patch("/v1/orders/<order_id>")
@require_scope("orders")
@endpoint(body=OrderChangeBody, answer=OrderAnswer, raises=(Conflict, MapUnavailable), versioned=True)
async def patch_order(order_id: str) -> Response:
    """Change the given fields of an order and keep the rest; 409 once it is over.

    A stop that is moved must pass the same checks as a new one; `anywhere` counts for this change only. A new
    `address` alone moves the stop there, unless its `precision` is `exact`: then it is only a text.
    """
    change, node = await body(OrderChangeBody), current_node()
    found = await _new_places(node, order_id, change)

    def edit(order: Order) -> Order:
        changed = change.edit(order, found)
        moved = {"pickup": changed.pickup, "dropoff": changed.dropoff}
        if changed.pickup.lonlat == order.pickup.lonlat:
            del moved["pickup"]
        if changed.dropoff.lonlat == order.dropoff.lonlat:
            del moved["dropoff"]
        if not change.anywhere:
            check_places(moved, node.area())
        return changed

    return await _answer(await node.orders.patch(order_id, edit, if_match()))


async def _new_places(node: Node, order_id: str, change: OrderChangeBody) -> dict[str, FoundPlace]:
    """Return the places of new addresses. Exact stops stay so, hence it need not be the locked order."""
    addresses = change.addresses()
    if not addresses:
        return {}
    return await AddressBook(node.geocoder).find_moved(await node.orders.get(order_id), addresses)


@blueprint.post("/v1/orders/<order_id>/assign")
@require_scope("orders")
@endpoint(body=AssignBody, answer=OrderAnswer, raises=(ForbiddenTransition,), versioned=True)
async def assign_order(order_id: str) -> Response:
    """Assign the order to a driver and insert its stops where they add least driving.

    A former driver can no longer read the order; the tracking link stays.
    """
    wanted = await body(AssignBody)
    return await _answer(await current_node().orders.assign(order_id, wanted.driver_id, if_match()))


@blueprint.post("/v1/orders/<order_id>/status")
@require_scope("orders")
@endpoint(body=StatusBody, answer=OrderAnswer, raises=(ForbiddenTransition, Conflict), versioned=True)
async def set_order_status(order_id: str) -> Response:
    """Set the status of an order; created unassigns it. 409 with the allowed ones if it cannot follow."""
    wanted, orders = await body(StatusBody), current_node().orders
    order = await orders.set_status(
        order_id,
        wanted.status,
        outcome=wanted.outcome,
        reason=wanted.reason,
        at=wanted.at,
        versions=if_match(),
    )
    return await _answer(order)


@blueprint.delete("/v1/orders/<order_id>/customer")
@require_scope("orders")
@endpoint(status=204, raises=(Conflict,))
async def erase_customer(order_id: str) -> Response:
    """Erase the customer's data of an order that is over; 409 while it is open.

    Name, phone, e-mail, address texts, instructions, contact, notes and reasons, and who opened its links are
    gone at once. Coordinates, times, statuses and metadata stay. Idempotent. The service does the same
    TRACKER_CUSTOMER_RETENTION_DAYS after the end of each order.
    """
    node = current_node()
    await node.orders.erase_customer(order_id)
    await node.fleet.views.notes_erased(order_id)
    return Response(status=204)


@blueprint.get("/v1/orders/<order_id>/eta")
@require_scope("read")
@endpoint(answer=WireEta)
async def get_eta(order_id: str) -> Response:
    """Get the forecast arrival of an order; its basis is none if nothing is known."""
    node = current_node()
    order = await node.orders.get(order_id)
    etas = await node.fleet.etas.of([order])
    return answer(WireEta.of(etas.get(order_id) or _no_eta(node)))


def _no_eta(node: Node) -> Eta:
    return Eta(
        arrives_at=None,
        earliest=None,
        latest=None,
        distance_m=None,
        stops_before=0,
        computed_at=node.now(),
        basis="none",
    )


async def _answer(order: Order) -> Response:
    return order_response(await show_order(current_node(), order))


async def show_order(node: Node, order: Order, queries: Queries | None = None) -> OrderAnswer:
    """Return the order as merchants see it, with its ETA and tracking link."""
    return (await _order_answers(node, [order], queries or node.database))[order.id]


async def _order_answers(node: Node, orders: Sequence[Order], queries: Queries) -> dict[str, OrderAnswer]:
    by_id = {order.id: order for order in orders}
    urls = tracking_urls(node, by_id, await select_links_of_orders(queries, list(by_id)))
    due = {id_ for id_, order in by_id.items() if order.window_to is not None}
    milestones = await select_milestones(queries, due) if due else {}
    etas = await node.fleet.etas.of(orders)
    return {
        id_: order_answer(
            order,
            eta=etas.get(id_),
            tracking_url=urls.get(id_),
            arrived_at=milestones.get(id_, {}).get("arrived_at_dropoff"),
        )
        for id_, order in by_id.items()
    }
