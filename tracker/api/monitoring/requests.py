"""Request ids; counts of answers and closes; a log line for each refusal and each ended socket."""

import re
from secrets import token_hex
from time import perf_counter
from typing import Any, Final, cast

import structlog
from quart import Quart, Response, g, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from tracker.api.auth import View
from tracker.api.client_info import is_from_trusted_proxy
from tracker.api.describe import spec_of
from tracker.metrics import Metrics
from tracker.node import current_node
from tracker.websocket.accept import NO_CLOSE_FRAME, Socket

HEADER: Final = "X-Request-Id"
_HEADER_BYTES: Final = HEADER.lower().encode()  # as in an ASGI scope
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
UNMATCHED: Final = "unmatched"  # route of requests to unknown paths

log = structlog.get_logger()


def register_request_log(app: Quart) -> None:
    """Give each request an id, log what is refused and what ends, and count all of it.

    Call it after the blueprints are registered: their routes begin at 0.
    """
    app.before_request(_begin_request)
    app.before_websocket(_begin_websocket)
    app.after_request(_end_request)
    app.after_websocket(cast("Any", _end_handshake))
    app.teardown_websocket(_end_websocket)
    metrics: Metrics = app.extensions["tracker"].metrics
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            metrics.http.declare_socket(rule.rule)
        else:
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            view = cast("View", app.view_functions[rule.endpoint])
            metrics.http.declare(rule.rule, methods, spec_of(view).status)


def route_of(current: BaseRequestWebsocket) -> str:
    """Return the template of the route, such as `/v1/orders/<order_id>`; a path would hold tokens."""
    return UNMATCHED if current.url_rule is None else current.url_rule.rule


async def _begin_request() -> None:
    _begin(request)


async def _begin_websocket() -> None:
    _begin(websocket)


def _begin(current: BaseRequestWebsocket) -> None:
    """Take the id of a trusted proxy or make one; all log lines of the request hold it."""
    g.begun = perf_counter()
    # The bytes of the head: a look-up of an absent header in Quart's object raises and catches an error.
    named = (value for name, value in current.scope["headers"] if name == _HEADER_BYTES)
    given = next(named, b"").decode("latin-1")
    is_usable = REQUEST_ID.fullmatch(given) and is_from_trusted_proxy(current)
    g.request_id = given if is_usable else token_hex(8)
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


async def _end_request(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    seconds = perf_counter() - g.begun
    current_node().metrics.http.count_answer(route_of(request), request.method, response.status_code, seconds)
    if response.status_code >= 400:
        _log_refusal("request_refused", request, response, method=request.method)
    return response


async def _end_handshake(response: Response | None) -> Response | None:
    """Log a refused handshake. An accepted socket has no response, unless its endpoint crashed."""
    if response is not None:
        response.headers[HEADER] = g.request_id
        if "socket" in g:
            g.crashed = True
        else:
            current_node().metrics.http.count_refused_handshake(route_of(websocket), response.status_code)
            _log_refusal("socket_refused", websocket, response)
    return response


def _log_refusal(event: str, current: BaseRequestWebsocket, response: Response, **more: str) -> None:
    """Log a response of 4xx. The causes of others are logged where they occur, as errors."""
    status = response.status_code
    if status < 500:
        log.info(event, route=route_of(current), status=status, problem=g.get("problem"), **more)


async def _end_websocket(_error: BaseException | None) -> None:
    """Log the end of an accepted socket, with its close code and who closed it."""
    socket: Socket | None = g.pop("socket", None)
    if socket is None:
        return
    own_code = 1011 if "crashed" in g else socket.close_code
    by = "peer" if own_code is None else "server"
    code = own_code or socket.peer_close_code or NO_CLOSE_FRAME
    current_node().metrics.http.count_close(route_of(websocket), code)
    if "refusal" in g:
        log.info("socket_refused", route=route_of(websocket), code=code, problem=g.refusal)
    else:
        after_s = round(perf_counter() - g.begun, 1)
        log.info("socket_closed", route=route_of(websocket), code=code, by=by, after_s=after_s)
