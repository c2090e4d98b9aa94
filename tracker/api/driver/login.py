"""Authentication of drivers by their tokens: for requests, and for sockets that outlive a revocation."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple

import structlog
from quart import request

from tracker.api.auth import credential_error
from tracker.api.client_backoff import await_backoff
from tracker.database.credentials.driver_tokens import select_driver_by_token
from tracker.domain.order import Driver
from tracker.errors import Unauthenticated
from tracker.node import Node
from tracker.tokens import hash_token

type Find = Callable[[Node, str], Awaitable[Driver]]


class Login(NamedTuple):
    """A driver whose token was found."""

    driver: Driver
    token_hash: bytes
    revocations: int  # how many there had been on this node before the look-up


async def log_in(node: Node, token: str) -> Login:
    """Wait for the client back-off and find the driver. Raises RateLimited, Unauthenticated."""
    await await_backoff(node, token)
    revocations = node.fleet.connections.revocations
    return Login(await find_driver(node, token), hash_token(token), revocations)


async def is_still_valid(node: Node, login: Login) -> bool:
    """Return whether the token of a connection that is registered now still exists.

    A revocation closes registered connections only, so one between the look-up and the registration would
    miss this one. The token is looked up again only if there was any. Raises StorageUnavailable.
    """
    if node.fleet.connections.revocations == login.revocations:
        return True
    return await select_driver_by_token(node.database, login.token_hash, node.now()) is not None


def bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header, or None without one. Raises Unauthenticated."""
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send the driver's token as Authorization: Bearer.")
    return token.strip()


async def find_sender(node: Node, token: str) -> Driver:
    """Find the driver whose device sends positions; a look-up within the last second counts.

    A revocation on this node ends that at once. Raises Unauthenticated, RateLimited.
    """
    connections, token_hash, now = node.fleet.connections, hash_token(token), monotonic()
    known = connections.recent_tokens.get(token_hash, now)
    if known is not None:
        structlog.contextvars.bind_contextvars(driver=known.id)
        return known
    revocations = connections.revocations
    driver = await find_driver(node, token)
    if revocations == connections.revocations:
        connections.recent_tokens.add(token_hash, driver, now)
    return driver


async def find_driver(node: Node, token: str) -> Driver:
    """Find the driver with this token; later log lines hold their id. Raises Unauthenticated, RateLimited."""
    driver = await select_driver_by_token(node.database, hash_token(token), node.now())
    if driver is None:
        raise credential_error(
            node, Unauthenticated("Unknown or replaced driver token; get a new one from the merchant.")
        )
    structlog.contextvars.bind_contextvars(driver=driver.id)
    return driver


async def driver_of_request(node: Node, find: Find = find_driver) -> Driver:
    """Return the driver of the current request's Bearer token. Raises Unauthenticated, RateLimited.

    *find* is `find_sender` for positions, by default `find_driver`.
    """
    token = bearer(request.headers.get("Authorization"))
    if token is None:
        raise Unauthenticated("Send the driver's token as Authorization: Bearer.")
    return await find(node, token)
