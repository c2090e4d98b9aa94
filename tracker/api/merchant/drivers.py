"""`/v1/drivers`: drivers, their tokens, stop sequences and erasure."""

import msgspec
from quart import Blueprint, Response

from tracker.api.answers.drivers import DriverAnswer, NewDriverAnswer, driver_answer
from tracker.api.auth import require_scope
from tracker.api.client_info import base_url, public_path
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import answer, body, query
from tracker.api.merchant.driver_bodies import DriverChangeBody, DutyBody, NewDriver, StopsBody
from tracker.api.merchant.queries import DriverQuery
from tracker.api.merchant.responses import (
    Page,
    StopAnswer,
    StopsAnswer,
)
from tracker.api.pagination import decode_cursor, page
from tracker.database import Connection
from tracker.database import drivers as rows
from tracker.database.credentials.driver_tokens import insert_driver_token, replace_driver_tokens
from tracker.database.orders import select_stops
from tracker.domain.driver.duty import duty_of
from tracker.domain.order import Driver
from tracker.errors import Conflict, NoSequence, NotFound, RouterUnavailable
from tracker.messages import rfc3339
from tracker.node import Node, current_node
from tracker.phone_apps.setup import setup_for
from tracker.tokens import hash_driver_token, new_driver_token, new_id

blueprint = Blueprint("drivers", __name__)


@blueprint.post("/v1/drivers")
@require_scope("orders")
@endpoint(body=NewDriver, answer=NewDriverAnswer, status=201, creates=True)
async def create_driver() -> Response:
    """Create a driver. The response has the token, which no later one shows, and each app's settings."""
    wanted = await body(NewDriver)
    node, token = current_node(), new_driver_token()

    async def create(connection: Connection) -> Creation:
        driver = Driver(id=new_id("drv"), number=0, created_at=node.now(), **msgspec.structs.asdict(wanted))
        driver = await rows.insert_driver(connection, driver)
        await insert_driver_token(connection, driver.number, hash_driver_token(token), node.now())
        location = public_path(f"/v1/drivers/{driver.id}")
        return Creation(
            _new_driver_answer(node, driver, token),
            headers={"Location": location},
            after=lambda: node.fleet.driver_changed(driver.id),  # for dispatchers
        )

    return await create_once(create)


@blueprint.get("/v1/drivers")
@require_scope("read")
@endpoint(query=DriverQuery, answer=Page[DriverAnswer], personal=True)
async def list_drivers() -> Response:
    """List drivers, newest first; all of them, or those with a reference."""
    node, wanted = current_node(), query(DriverQuery)
    found = await rows.select_drivers(
        node.database, wanted.limit + 1, decode_cursor(wanted.cursor), reference=wanted.reference
    )
    answers = await _driver_answers(node, found)
    return answer(
        page(
            found,
            wanted.limit,
            lambda driver: answers[driver.id],
            lambda driver: (driver.created_at, driver.id),
        )
    )


@blueprint.get("/v1/drivers/<driver_id>")
@require_scope("read")
@endpoint(answer=DriverAnswer, personal=True)
async def get_driver(driver_id: str) -> Response:
    """Get a driver: whether they are online, their newest fix, and their orders in stop sequence."""
    driver = _require_driver(await rows.select_driver(current_node().database, driver_id))
    return answer((await _driver_answers(current_node(), [driver]))[driver_id])


@blueprint.patch("/v1/drivers/<driver_id>")
@require_scope("orders")
@endpoint(body=DriverChangeBody, answer=DriverAnswer)
async def change_driver(driver_id: str) -> Response:
    """Change a driver's name, display name, vehicle or reference.

    Customers who watch see the new name or vehicle at once. For another vehicle, routes and arrival times are
    computed again.
    """
    node, change = current_node(), await body(DriverChangeBody)
    async with node.database.transaction() as connection:
        before = _require_driver((await rows.lock_drivers(connection, [driver_id])).get(driver_id))
        driver = change.edit(before)
        await rows.update_driver(connection, driver)
    if driver != before:
        await node.fleet.driver_changed(driver_id)
    return answer((await _driver_answers(node, [driver]))[driver_id])


@blueprint.post("/v1/drivers/<driver_id>/duty")
@require_scope("orders")
@endpoint(body=DutyBody, answer=DriverAnswer)
async def change_duty(driver_id: str) -> Response:
    """Set a driver on or off duty, or on a break, from now on. Idempotent.

    Off duty, the service discards the driver's positions: it stores, shows and logs nothing of them. A break
    hides the position from customers and keeps the forecast.
    """
    node, wanted = current_node(), await body(DutyBody)
    await node.fleet.set_duty(driver_id, duty_of(on=wanted.on, on_break=wanted.on_break))
    driver = _require_driver(await rows.select_driver(node.database, driver_id))
    return answer((await _driver_answers(node, [driver]))[driver_id])


@blueprint.post("/v1/drivers/<driver_id>/token")
@require_scope("orders")
@endpoint(answer=NewDriverAnswer, creates=True)
async def renew_token(driver_id: str) -> Response:
    """Give the driver a new token. All old ones are refused at once, and an open pairing code is void."""
    node, token = current_node(), new_driver_token()

    async def renew(connection: Connection) -> Creation:
        driver = _require_driver((await rows.lock_drivers(connection, [driver_id])).get(driver_id))
        await replace_driver_tokens(connection, driver.number, hash_driver_token(token), node.now())
        return Creation(
            _new_driver_answer(node, driver, token),
            status=200,
            after=lambda: node.fleet.driver_revoked(driver_id),
        )

    return await create_once(renew)


@blueprint.delete("/v1/drivers/<driver_id>")
@require_scope("orders")
@endpoint(status=204, raises=(Conflict,))
async def erase_driver(driver_id: str) -> Response:
    """Erase a driver with all their fixes and notes.

    Assigned orders become unassigned; orders that the driver had picked up fail.
    """
    node = current_node()
    _require_driver(await rows.select_driver(node.database, driver_id))
    await node.orders.release_driver(driver_id)
    async with node.database.transaction() as connection:
        erased = await rows.erase_driver(connection, driver_id)
        if erased is None:
            raise Conflict("The driver got an order in the meantime; retry.")
    await node.fleet.driver_revoked(driver_id)
    for order_id in erased.orders:
        await node.fleet.views.notes_erased(order_id)
    await rows.delete_fixes_of_driver(node.database, erased.number)  # fixes that arrived during the erasure
    return Response(status=204)


@blueprint.get("/v1/drivers/<driver_id>/stops")
@require_scope("read")
@endpoint(answer=StopsAnswer)
async def get_stops(driver_id: str) -> Response:
    """List the driver's remaining stops, in the sequence of serving."""
    _require_driver(await rows.select_driver(current_node().database, driver_id))
    return await _stops(driver_id)


@blueprint.put("/v1/drivers/<driver_id>/stops")
@require_scope("orders")
@endpoint(body=StopsBody, answer=StopsAnswer)
async def put_stops(driver_id: str) -> Response:
    """Set the driver's stop sequence: every remaining stop once, each pickup before its dropoff."""
    wanted = await body(StopsBody)
    await current_node().orders.set_stops(driver_id, [(stop.order_id, stop.kind) for stop in wanted.stops])
    return await _stops(driver_id)


@blueprint.post("/v1/drivers/<driver_id>/stops/optimize")
@require_scope("orders")
@endpoint(answer=StopsAnswer, raises=(NoSequence, RouterUnavailable))
async def optimize_stops(driver_id: str) -> Response:
    """Order the driver's stops so that they take least driving from where the driver is.

    Where stops have times, it waits for windows and `ready_at` and is seldom late. A pickup stays before its
    dropoff. Up to 12 stops the sequence is the best one, beyond a good one.
    """
    await current_node().orders.optimize_stops(driver_id)
    return await _stops(driver_id)


async def _stops(driver_id: str) -> Response:
    found = await select_stops(current_node().database, driver_id)
    stops = [StopAnswer(one.order_id, one.kind, one.at.lat, one.at.lon, one.service_s) for one in found]
    return answer(StopsAnswer(stops))


def _require_driver(driver: Driver | None) -> Driver:
    if driver is None:
        raise NotFound("driver")
    return driver


async def _driver_answers(node: Node, drivers: list[Driver]) -> dict[str, DriverAnswer]:
    ids = [driver.id for driver in drivers]
    activity, online = await rows.select_driver_activity(node.database, ids), await node.fleet.online(ids)
    return {
        driver.id: driver_answer(
            driver,
            found := activity.get(driver.id, rows.Activity()),
            online=driver.id in online,
            silence=node.fleet.silence.of(driver.id, found),
        )
        for driver in drivers
    }


def _new_driver_answer(node: Node, driver: Driver, token: str) -> NewDriverAnswer:
    return NewDriverAnswer(
        id=driver.id,
        name=driver.name,
        display_name=driver.display_name,
        vehicle=driver.vehicle,
        reference=driver.reference,
        created_at=rfc3339(driver.created_at),
        token=token,
        setup=setup_for(driver, token, base=base_url(), mqtt_url=node.config.phones_mqtt_url),
    )
