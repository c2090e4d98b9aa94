"""The Quart app of one node: the only list of blueprints."""

from inspect import CO_COROUTINE
from types import FunctionType
from typing import Any, Final

from quart import Quart
from quart.sessions import NullSession, SessionInterface

from tracker.api.allowance import add_rate_limit_headers
from tracker.api.client_info import warn_of_untrusted_proxy
from tracker.api.compression import compress
from tracker.api.dispatch import audit as dispatch_audit
from tracker.api.dispatch import events as dispatch_events
from tracker.api.dispatch import page as dispatch_page
from tracker.api.dispatch import session as dispatch_session
from tracker.api.dispatch import stream as dispatch_stream
from tracker.api.docs import asyncapi, openapi, swagger_ui
from tracker.api.driver import me, phone_apps
from tracker.api.driver import page as driver_page
from tracker.api.driver import pairing as driver_pairing
from tracker.api.driver import proofs as driver_proofs
from tracker.api.driver import stream as driver_stream
from tracker.api.errors import register_errors
from tracker.api.headers import add_security_headers
from tracker.api.json_bodies import register_bodies
from tracker.api.merchant import drivers, forecasts, history, links, map, orders, pairing_codes
from tracker.api.merchant.branding import brand
from tracker.api.merchant.deliveries import attempts, proofs
from tracker.api.merchant.events import deliveries, feed, webhooks
from tracker.api.merchant.tracks import track
from tracker.api.monitoring import health, metrics
from tracker.api.monitoring.requests import register_request_log
from tracker.api.pages import brand_files, files, map_tiles, site
from tracker.api.tracking import calendar, events, notes, page, poll
from tracker.api.tracking import proofs as tracking_proofs
from tracker.api.tracking import stream as tracking_stream
from tracker.api.tracking.acts import acts
from tracker.node import Node
from tracker.websocket.accept import register_sockets

ENDPOINTS: Final = (
    acts,
    asyncapi,
    attempts,
    brand,
    brand_files,
    calendar,
    deliveries,
    dispatch_audit,
    dispatch_events,
    dispatch_page,
    dispatch_session,
    dispatch_stream,
    health,
    swagger_ui,
    driver_pairing,
    driver_proofs,
    driver_page,
    driver_stream,
    drivers,
    files,
    forecasts,
    history,
    links,
    map,
    map_tiles,
    me,
    metrics,
    openapi,
    orders,
    page,
    pairing_codes,
    proofs,
    phone_apps,
    site,
    events,
    feed,
    notes,
    poll,
    track,
    tracking_proofs,
    tracking_stream,
    webhooks,
)


def create_app(node: Node, *, taking_over: bool = True) -> Quart:
    """Create the Quart app that serves *node*; nothing is global.

    With *taking_over*, the app's WebSockets use the server's TCP connection directly.
    """
    app = _App("tracker", static_folder=None)
    app.asgi_app = _below_prefix(app.asgi_app, node.config.path_prefix)  # type: ignore[method-assign]
    app.session_interface = _NoSessions()  # type: ignore[assignment]
    app.config["RESPONSE_TIMEOUT"] = None  # streams have no end
    app.url_map.merge_slashes = False  # its redirects name the scheme and host behind the proxy
    app.extensions["tracker"] = node
    register_errors(app)
    site.register_unknown_paths(app)
    register_sockets(app, taking_over=taking_over)
    app.before_request(warn_of_untrusted_proxy)
    app.before_websocket(warn_of_untrusted_proxy)
    app.after_request(compress)  # the last of them: Quart runs them in reverse
    app.after_request(add_security_headers)
    app.after_request(add_rate_limit_headers)
    register_bodies(app)
    for module in ENDPOINTS:
        if module is not metrics or node.config.metrics_bind is None:
            app.register_blueprint(module.blueprint)
    register_request_log(app)
    return app


def create_monitoring_app(node: Node) -> Quart:
    """Create the app of the second listener: `/metrics`, `/livez` and `/readyz` of *node*."""
    app = Quart("monitoring", static_folder=None)
    app.extensions["tracker"] = node
    register_errors(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    register_request_log(app)
    return app


class _App(Quart):
    """Quart, which examines each hook and view in every request for whether it is a coroutine function."""

    def ensure_async(self, func: Any) -> Any:
        """Return *func*, or what runs it in a thread. A look at the flag takes a tenth of Quart's time."""
        if type(func) is FunctionType and func.__code__.co_flags & CO_COROUTINE:
            return func
        return super().ensure_async(func)


class _NoSessions(SessionInterface):
    """None of Quart's sessions, for which it would look in every request. Dispatchers' are in PostgreSQL."""

    def __init__(self) -> None:
        self._none = NullSession()

    async def open_session(self, *_: object) -> NullSession:
        return self._none


def _below_prefix(app: Any, prefix: str) -> Any:
    """Serve *app* below a path prefix too, whether or not the proxy in front removes the prefix."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path == prefix or path.startswith(f"{prefix}/"):
            raw_path = scope["raw_path"].removeprefix(prefix.encode())
            scope = scope | {"path": path.removeprefix(prefix) or "/", "raw_path": raw_path or b"/"}
        await app(scope, receive, send)

    return serve if prefix else app
