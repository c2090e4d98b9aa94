"""Credentials of phone apps: each has its own place for the driver's token."""

import binascii
from base64 import b64decode
from typing import Final

from quart import request

from tracker.api.driver.login import find_sender
from tracker.domain.order import Driver
from tracker.errors import Unauthenticated
from tracker.node import Node

MISSING: Final = (
    "Send the driver's token as Basic password, Bearer, ?token=, ?api_key=, last path segment or device id."
)


def token_of_request(path_token: str | None = None) -> str | None:
    """Return the token from the header, the path or the query string of the current request; None without."""
    found = _token_of_header(request.headers.get("Authorization"))
    return found or path_token or request.args.get("token") or request.args.get("api_key")


def _token_of_header(header: str | None) -> str | None:
    """Return the token of an Authorization header: a Bearer token or a Basic password."""
    scheme, _, value = (header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value or None
    return _basic_password(value) if scheme.lower() == "basic" else None


def _basic_password(value: str) -> str | None:
    """Return the password, or the user without one. Overland sends the token as it is, with a colon."""
    try:
        text = b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    if ":" not in text:
        return value.rstrip(":") or None
    user, _, password = text.partition(":")
    return password or user or None


async def find_driver_of_app(node: Node, token: str | None) -> Driver:
    """Return the driver with this token. Raises Unauthenticated, RateLimited."""
    if not token:
        raise Unauthenticated(MISSING)
    return await find_sender(node, token)
