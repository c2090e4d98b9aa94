"""`/v1/session`: a browser logs in with an API key and gets a cookie, so that no page has to keep the key.

The cookie holds a random token, and the database its hash. A session ends with its key, after 12 hours
without use, after 7 days, or when the browser logs out. It works on every node.
"""

from datetime import datetime
from time import monotonic
from typing import Annotated, Final

import msgspec
from quart import Blueprint, Response, g, request

from tracker.api.auth import (
    ADMIN_KEY_ID,
    PLAIN_COOKIE,
    RANK,
    SECURE_COOKIE,
    Credential,
    check_origin,
    find_api_key,
    require_scope,
    session_token,
    valid_session,
)
from tracker.api.client_info import client_info, is_loopback, origin_of, request_base_url
from tracker.api.describe import endpoint
from tracker.api.json_bodies import RequestBody, answer, body
from tracker.database.credentials.api_keys import Scope
from tracker.database.credentials.sessions import LASTS, delete_session, insert_session
from tracker.database.dispatch.audit import AuditEntry
from tracker.errors import BadInput, ForeignOrigin, RateLimited, StorageUnavailable, Unauthenticated
from tracker.messages import rfc3339
from tracker.messages.fields import Time
from tracker.node import Node, current_node
from tracker.tokens import hash_token, new_session_token

blueprint = Blueprint("dispatch_session", __name__)
ERRORS: Final = (ForeignOrigin, StorageUnavailable)


class NewSessionBody(RequestBody, frozen=True, kw_only=True):
    key: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=500,
            description="An API key, as `tracker keys create` prints it.",
            examples=["tak_3q2-7wAAAABJRU5ErkJggg1a2b3c4d5e"],
        ),
    ]


class SessionAnswer(msgspec.Struct, frozen=True):
    """Whose key this request has, and what it may do."""

    name: str
    """Name of the API key."""
    scopes: list[Scope]
    """What the key may do: `read`, `orders`, `admin`; each includes those before it."""
    expires_at: Time | None
    """When the session ends at the latest; null for a request with the key itself."""


@blueprint.post("/v1/session")
@endpoint(body=NewSessionBody, answer=None, status=204, raises=(Unauthenticated, RateLimited, *ERRORS))
async def create_session() -> Response:
    """Log a browser in with an API key: the answer has a cookie that all calls take in place of the key.

    The cookie is `HttpOnly` and `SameSite=Strict`. With it, a change or a socket needs the service's own
    `Origin`, otherwise it is 403 `foreign-origin`. Logging in needs https, or a loopback address such as
    `127.0.0.1`.
    """
    check_origin(required=False)
    node, cookie = current_node(), _cookie_name()
    _take_attempt(node)
    secret = (await body(NewSessionBody)).key.strip()
    key = await find_api_key(node, Credential(secret))
    token, before = new_session_token(), session_token()
    mark = node.link_tokens.admin_mark(secret) if key.id == ADMIN_KEY_ID else None
    await insert_session(node.database, hash_token(token), key, mark, node.now())
    node.audit.add(AuditEntry(node.now(), key.id, "change", create_session.__name__, []))
    if before is not None:
        await delete_session(node.database, hash_token(before))
    return _with_cookie(cookie, token, int(LASTS.total_seconds()))


@blueprint.get("/v1/session")
@require_scope("read")
@endpoint(answer=SessionAnswer)
async def show_session() -> Response:
    """Show the name and the scopes of the API key that this request has, as a key or by its session."""
    expires_at = await _expires_at(current_node(), g.credential)
    scopes = [scope for scope, rank in RANK.items() if rank <= RANK[g.api_key.scope]]
    shown = None if expires_at is None else rfc3339(expires_at)
    return answer(SessionAnswer(g.api_key.name, scopes, shown))


@blueprint.delete("/v1/session")
@endpoint(answer=None, status=204, raises=(RateLimited, *ERRORS))
async def end_session() -> Response:
    """Log the browser out: the session ends on every node, and the cookie is removed. Idempotent."""
    token = session_token()
    check_origin(required=token is not None)
    if token is not None:
        _take_attempt(current_node())
        await delete_session(current_node().database, hash_token(token))
    return _with_cookie(SECURE_COOKIE if SECURE_COOKIE in request.cookies else PLAIN_COOKIE, "", 0)


async def _expires_at(node: Node, credential: Credential) -> datetime | None:
    session = await valid_session(node, credential.secret) if credential.is_session else None
    return None if session is None else session.expires_at


def _cookie_name() -> str:
    """Return the name that the cookie may have at this origin. Raises BadInput where browsers keep none."""
    scheme, host, _ = origin_of(request.headers.get("Origin") or request_base_url()) or ("", "", 0)
    if scheme == "https":
        return SECURE_COOKIE
    if is_loopback(host):
        return PLAIN_COOKIE
    raise BadInput(
        "Logging in needs https, or a loopback address such as http://127.0.0.1. Behind a proxy with TLS, "
        "set TRACKER_PUBLIC_URL, or TRACKER_TRUSTED_PROXIES and X-Forwarded-Proto."
    )


def _with_cookie(name: str, token: str, max_age_s: int) -> Response:
    response = Response(status=204)
    response.set_cookie(
        *(name, token),
        max_age=max_age_s,
        path="/",
        secure=name == SECURE_COOKIE,
        httponly=True,
        samesite="Strict",
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _take_attempt(node: Node) -> None:
    """Count an attempt to log in, right or wrong, or out. Raises RateLimited."""
    rates, now = node.login_rates, monotonic()
    if not rates.try_take(client_info().address, 1.0, now):
        raise RateLimited("Too many attempts to log in; retry later.", after_s=rates.window_s / rates.at_once)
