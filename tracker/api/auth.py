"""Authentication with API keys, and their scopes: `admin` includes `orders`, which includes `read`.

A browser that is logged in sends its session's cookie instead of a key. Browsers add a cookie by themselves,
so with it a change or a socket needs this service's own `Origin`; see docs/security.md.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final, NamedTuple

from quart import g, has_websocket_context

from tracker.api.allowance import take_allowance
from tracker.api.client_info import (
    client_info,
    current_request,
    is_loopback,
    is_own_origin,
    origin_of,
    request_base_url,
)
from tracker.database.credentials.api_keys import ApiKey, Scope, select_api_key
from tracker.database.credentials.sessions import BrowserSession, select_session
from tracker.database.dispatch.audit import AuditEntry, AuditKind
from tracker.database.pool import commit_hook
from tracker.errors import (
    Forbidden,
    ForeignOrigin,
    NotFound,
    RateLimited,
    TrackerError,
    Unauthenticated,
)
from tracker.node import Node, current_node
from tracker.tokens import hash_token

ADMIN_KEY_ID: Final = "TRACKER_ADMIN_KEY"  # the key from the settings has no row

SECURE_COOKIE: Final = "__Host-tracker_session"  # of this host only, and over TLS only
PLAIN_COOKIE: Final = "tracker_session"  # over plain HTTP on a loopback address
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
RANK: Final[Mapping[Scope, int]] = {"read": 0, "orders": 1, "admin": 2}


class Credential(NamedTuple):
    """What a client came with: an API key, or the token in a session's cookie."""

    secret: str
    is_session: bool = False


type View = Callable[..., Awaitable[Any]]


def require_scope(scope: Scope, *, in_query: bool = False) -> Callable[[View], View]:
    """Require an API key with *scope*. The view raises Unauthenticated, RateLimited, Forbidden.

    With *in_query*, the key may be `?api_key=`, for programs that cannot set a header.

    Each request looks the key up, so a revoked key stops working at once. A view that may write runs to its
    end even if the client disconnects, so that no consequence of a commit is lost.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def authorized(**ids: str) -> Any:
            g.credential = credential_of_request(in_query=in_query)
            g.api_key = await find_api_key(current_node(), g.credential)
            take_requests(1)
            if RANK[g.api_key.scope] < RANK[scope]:
                raise Forbidden(scope)
            if any(
                "\0" in id_ for id_ in ids.values()
            ):  # PostgreSQL text cannot hold U+0000, so no id has it
                raise NotFound("resource")
            if scope != "read" and not in_query and current_request().method not in SAFE_METHODS:
                entry = g.audit_entry = _entry("change", view, ids)
                commit_hook.set(entry)
            if scope == "read":
                answer = await view(**ids)
            else:
                answer = await current_node().fleet.shield(_awaited(view(**ids)))
            _audit(view, ids)
            return answer

        authorized.needed_scope = scope  # type: ignore[attr-defined]  # read by api.docs.openapi
        return authorized

    return decorate


def _entry(kind: AuditKind, view: View, ids: Mapping[str, str]) -> AuditEntry:
    subjects = [id_ for name, id_ in ids.items() if name.endswith("_id")]
    return AuditEntry(current_node().now(), g.api_key.id, kind, view.__name__, subjects)


def _audit(view: View, ids: Mapping[str, str]) -> None:
    """Store a successful look-up of personal data soon, and a change that no transaction has stored."""
    if "audit_entry" in g:
        current_node().audit.add(g.audit_entry)
    elif getattr(view, "endpoint_spec", None) is not None and view.endpoint_spec.personal:  # type: ignore[attr-defined]
        current_node().audit.add(_entry("lookup", view, ids))


def take_requests(amount: int) -> None:
    """Take so many requests from the allowance of this request's API key. Raises RateLimited."""
    take_allowance(
        current_node().request_rates,
        g.api_key.id,
        "Too many requests with this API key; retry later.",
        amount=amount,
    )


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def bearer_token(header: str | None) -> str:
    """Return the token of an Authorization header. Raises Unauthenticated."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("An API key is required; send it as Authorization: Bearer.")
    return token.strip()


def credential_of_request(*, in_query: bool = False) -> Credential:
    """Return the API key, or the session if there is none. Raises Unauthenticated, ForeignOrigin."""
    current = current_request()
    if in_query and (key := current.args.get("api_key")):
        return Credential(key)
    header, token = current.headers.get("Authorization"), session_token()
    if header or token is None:
        return Credential(bearer_token(header))
    if has_websocket_context() or current.method not in SAFE_METHODS:
        check_origin()
    return Credential(token, is_session=True)


def check_origin(*, required: bool = True) -> None:
    """Check that the request is from a page of this service; without `Origin` only if it is *required*.

    Raises ForeignOrigin.
    """
    origin = current_request().headers.get("Origin")
    if (required and origin is None) or (origin is not None and not is_own_origin(origin)):
        raise ForeignOrigin


def session_token() -> str | None:
    """Return the token in the session's cookie.

    The plain cookie counts only where it may be set: elsewhere another host of the domain may have set it.
    """
    current = current_request()
    token = current.cookies.get(SECURE_COOKIE)
    origin = origin_of(request_base_url())
    if token is None and origin is not None and origin[0] == "http" and is_loopback(origin[1]):
        token = current.cookies.get(PLAIN_COOKIE)
    return token


async def find_api_key(node: Node, credential: Credential) -> ApiKey:
    """Find an API key. Raises Unauthenticated for an unknown or revoked key or ended session, RateLimited."""
    found = await valid_api_key(node, credential)
    if found is None:
        detail = "Unknown or revoked API key; check it, or create a new one."
        if credential.is_session:
            detail = "The session has ended, or its API key was revoked; log in again."
        raise credential_error(node, Unauthenticated(detail))
    return found


async def valid_api_key(node: Node, credential: Credential) -> ApiKey | None:
    """Return the key, or None if it is unknown or revoked, or the session has ended."""
    if credential.is_session:
        session = await valid_session(node, credential.secret)
        return None if session is None else session.key
    key_hash, admin_key = hash_token(credential.secret), node.config.admin_key
    if admin_key is not None and hmac.compare_digest(key_hash, hash_token(admin_key)):  # in constant time
        return ApiKey(ADMIN_KEY_ID, "admin", ADMIN_KEY_ID)
    return await select_api_key(node.database, key_hash)


async def valid_session(node: Node, token: str) -> BrowserSession | None:
    """Return the session with this token, and note its use; None if it has ended."""
    session = await select_session(node.database, hash_token(token), node.now())
    if session is None or session.key.id != ADMIN_KEY_ID:
        return session
    admin_key = node.config.admin_key
    if admin_key is None or session.admin_mark != node.link_tokens.admin_mark(admin_key):
        return None
    return session._replace(key=ApiKey(ADMIN_KEY_ID, "admin", ADMIN_KEY_ID))


def credential_error(node: Node, error: TrackerError) -> TrackerError:
    """Count an unknown key, token or link. Return *error*, or RateLimited after many from one address.

    Only unknown credentials count, so other clients at the same address are never delayed.
    """
    if node.wrong_guesses.try_take(client_info().address, 1.0, asyncio.get_running_loop().time()):
        return error
    return RateLimited(
        "Too many unknown keys, tokens or links from this address; check yours and retry later."
    )
