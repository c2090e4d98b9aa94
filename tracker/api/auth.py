"""Authentication with API keys, and their scopes: `admin` includes `orders`, which includes `read`.

The API uses no cookies, so a page of another site cannot act with a user's rights; see docs/security.md.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final

from quart import g, request

from tracker.api.allowance import take_allowance
from tracker.api.client_info import client_info
from tracker.database.credentials.api_keys import ApiKey, Scope, select_api_key
from tracker.errors import Forbidden, NotFound, RateLimited, TrackerError, Unauthenticated
from tracker.node import Node, current_node
from tracker.tokens import hash_token

ADMIN_KEY_ID: Final = "TRACKER_ADMIN_KEY"  # the key from the settings has no row

_RANK: Final[Mapping[Scope, int]] = {"read": 0, "orders": 1, "admin": 2}

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
            key = request.args.get("api_key") if in_query else None
            g.api_key = await find_api_key(
                current_node(), key or bearer_token(request.headers.get("Authorization"))
            )
            take_requests(1)
            if _RANK[g.api_key.scope] < _RANK[scope]:
                raise Forbidden(scope)
            if any(
                "\0" in id_ for id_ in ids.values()
            ):  # PostgreSQL text cannot hold U+0000, so no id has it
                raise NotFound("resource")
            if scope == "read":
                return await view(**ids)
            return await current_node().fleet.shield(_awaited(view(**ids)))

        authorized.needed_scope = scope  # type: ignore[attr-defined]  # read by api.docs.openapi
        return authorized

    return decorate


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


async def find_api_key(node: Node, key: str) -> ApiKey:
    """Find an API key. Raises Unauthenticated for an unknown or revoked key, RateLimited."""
    found = await valid_api_key(node, key)
    if found is None:
        raise credential_error(
            node, Unauthenticated("Unknown or revoked API key; check it, or create a new one.")
        )
    return found


async def valid_api_key(node: Node, key: str) -> ApiKey | None:
    """Return the key, or None if it is unknown or revoked."""
    key_hash, admin_key = hash_token(key), node.config.admin_key
    if admin_key is not None and hmac.compare_digest(key_hash, hash_token(admin_key)):  # in constant time
        return ApiKey(ADMIN_KEY_ID, "admin")
    return await select_api_key(node.database, key_hash)


def credential_error(node: Node, error: TrackerError) -> TrackerError:
    """Count an unknown key, token or link. Return *error*, or RateLimited after many from one address.

    Only unknown credentials count, so other clients at the same address are never delayed.
    """
    if node.wrong_guesses.try_take(client_info().address, 1.0, asyncio.get_running_loop().time()):
        return error
    return RateLimited(
        "Too many unknown keys, tokens or links from this address; check yours and retry later."
    )
