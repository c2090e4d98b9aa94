"""Who may: API keys and their scopes. `admin` may all that `orders` may, and `orders` all that `read` may.

Nothing here goes by cookies, so no other site's page can borrow anybody's rights; see docs/security.md.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final

from quart import g, request

from tracker.api.allowance import take_allowance
from tracker.api.client_info import client_info
from tracker.database.api_keys import ApiKey, Scope, select_api_key
from tracker.errors import Forbidden, NotFound, RateLimited, TrackerError, Unauthenticated
from tracker.node import Node, parts
from tracker.tokens import hash_token

ADMIN_KEY_ID: Final = "TRACKER_ADMIN_KEY"  # stands for the key of the settings, which has no row

_RANK: Final[Mapping[Scope, int]] = {"read": 0, "orders": 1, "admin": 2}

type View = Callable[..., Awaitable[Any]]


def require_scope(scope: Scope) -> Callable[[View], View]:
    """Lets a request through whose API key has `scope`; else it fails with Unauthenticated or Forbidden.

    A key is looked up anew each time, so that a revoked one is refused at once. What may write goes on
    to its end though its client may have left: what follows from a commit must not get lost.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def authorized(**ids: str) -> Any:
            g.api_key = await find_api_key(parts(), bearer_token(request.headers.get("Authorization")))
            take_allowance(parts().request_rates, g.api_key.id, "More requests than one API key may send.")
            if _RANK[g.api_key.scope] < _RANK[scope]:
                raise Forbidden(scope)
            if any("\0" in id_ for id_ in ids.values()):  # no text for PostgreSQL, so no id either
                raise NotFound("resource")
            if scope == "read":
                return await view(**ids)
            return await parts().fleet.shield(_awaited(view(**ids)))

        authorized.needed_scope = scope  # type: ignore[attr-defined]  # read by api.openapi
        return authorized

    return decorate


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def bearer_token(header: str | None) -> str:
    """The token of an Authorization header; raises Unauthenticated where it has none."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("This needs an API key, as Authorization: Bearer.")
    return token.strip()


async def find_api_key(here: Node, key: str) -> ApiKey:
    """What is known of an API key; raises Unauthenticated for an unknown or revoked one."""
    if here.config.admin_key is not None and _is_equal(key, here.config.admin_key):
        return ApiKey(ADMIN_KEY_ID, "admin")
    found = await select_api_key(here.database, hash_token(key))
    if found is None:
        raise credential_error(here, Unauthenticated("This API key is not known (any more)."))
    return found


def credential_error(here: Node, why: TrackerError) -> TrackerError:
    """What to raise for a key, a token or a link that is not known: after many from one address, RateLimited.

    Only what is wrong counts: behind the same address, whoever has a good one is never held up.
    """
    if here.wrong_guesses.try_take(client_info().address, 1.0, asyncio.get_running_loop().time()):
        return why
    return RateLimited("Too many unknown keys, tokens or links came from this address.")


def _is_equal(given: str, expected: str) -> bool:
    """In a time that tells nothing about where they differ."""
    return hmac.compare_digest(hash_token(given), hash_token(expected))
