"""`WS /v1/drivers/stream` and `POST /v1/drivers/fixes`: drivers send positions and statuses."""

from typing import Final, cast, get_args

import msgspec
import structlog
from quart import Blueprint, Response, websocket

from tracker.api.allowance import take_allowance
from tracker.api.client_backoff import record_violations
from tracker.api.describe import endpoint
from tracker.api.driver.login import bearer, driver_of_request, find_sender, log_in
from tracker.api.driver.messages import await_hello, fixes_ack
from tracker.api.driver.session import DriverSession
from tracker.api.errors import CloseConnection, close_code, problem_of
from tracker.api.json_bodies import answer, raw_body
from tracker.domain.driver.role import Role
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix
from tracker.errors import (
    FieldError,
    InvalidFields,
    StorageUnavailable,
    TrackerError,
)
from tracker.live.drivers.trip import Receipt
from tracker.messages import FIXES_PER_MESSAGE, FRAME_BYTES, Ack, Fixes, RawFixes
from tracker.messages.codecs import CODECS, read_fixes, read_json, readings
from tracker.node import Node, current_node
from tracker.websocket.accept import Disconnected, accept

TOO_MANY: Final = "The driver sends too many fixes; none of these was stored. Retry later."

blueprint = Blueprint("driver_stream", __name__)
log = structlog.get_logger()


@blueprint.websocket("/v1/drivers/stream")
@endpoint(by_driver=True)
async def stream() -> None:
    """Stream a driver's positions and orders over a WebSocket."""
    node, role = current_node(), _role(websocket.args.get("role"))
    if node.fleet.draining:
        raise StorageUnavailable("The server is shutting down; reconnect.")
    token = bearer(websocket.headers.get("Authorization"))
    login = None if token is None else await log_in(node, token)
    subprotocol = next((name for name in websocket.requested_subprotocols if name in CODECS), None)
    socket = await accept(websocket, subprotocol, FRAME_BYTES)
    codec = CODECS[subprotocol or "tracker.v1"]()
    try:
        if token is None or login is None:
            token, wanted = await await_hello(socket, codec)
            role = wanted or role
            login = await log_in(node, token)
        with record_violations(node, socket, token):
            await DriverSession(node, socket, codec, login, role).run()
    except Disconnected:
        pass
    except CloseConnection as closing:
        await socket.close(closing.code, closing.reason)
    except TrackerError as error:
        await socket.close(close_code(error), problem_of(type(error)).code)
    except Exception as error:
        log.error("driver_session_crashed", exc_info=error)
        await socket.close(1011, "our_fault")


def _role(name: str | None) -> Role:
    """Return the role that the URL asks for. Raises InvalidFields."""
    if name not in (None, *get_args(Role)):
        raise InvalidFields([FieldError("role", f"must be one of {', '.join(get_args(Role))}")])
    return cast("Role", name or "source")


@blueprint.post("/v1/drivers/fixes")
@endpoint(body=Fixes | list[Fix], answer=Ack, by_driver=True)
async def post_fixes() -> Response:
    """Store fixes. The response is the same ack as on the WebSocket, sent after the commit."""
    node = current_node()
    driver = await driver_of_request(node, find_sender)
    take_allowance(node.fix_rates, driver.id, TOO_MANY)
    number, message = _parse_message(await raw_body(FRAME_BYTES))
    if len(message.fixes) > FIXES_PER_MESSAGE:
        raise InvalidFields([FieldError("fixes", f"must be a list of at most {FIXES_PER_MESSAGE} fixes")])
    take_allowance(node.fix_rates, driver.id, TOO_MANY, amount=max(0, len(message.fixes) - 1))
    receipt = await node.fleet.shield(_store(node, driver, message))
    return answer(fixes_ack(number, receipt))


async def _store(node: Node, driver: Driver, message: Fixes | RawFixes) -> Receipt:
    """Judge and record fixes. After StorageUnavailable, the same fixes keep their verdicts when resent."""
    batch = await node.fleet.receive(driver, readings(message))
    return await node.fleet.record(driver, batch)


def _parse_message(body: bytes) -> tuple[int | None, Fixes | RawFixes]:
    """Return the id, or None, and the fixes. Raises Unparsable, InvalidFields."""
    try:
        message = read_fixes(body)
        return message.id, message
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = read_json(body)
    fixes = value.get("fixes") if isinstance(value, dict) else value
    number = value.get("id") if isinstance(value, dict) else None
    if not isinstance(fixes, list):
        raise InvalidFields([FieldError("fixes", "must be a list of fixes, alone or in a message")])
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    if number is not None and (not is_whole or abs(number) >= 2**63):
        raise InvalidFields([FieldError("id", "must be a whole number from -2^63 to 2^63 - 1")])
    return number, RawFixes(0, fixes)
