"""Header fields of requests and responses in the OpenAPI document."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from tracker.api.describe import EndpointSpec
from tracker.api.docs.example_delivery import ORDER_ID
from tracker.messages.orders import OrderAnswer

IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeated key with the same body returns the same response, with another body 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "5b1f0c6e-order-1042",
}
IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "description": "Change the order only if this `ETag` is still its version; otherwise 412.",
    "schema": {"type": "string"},
    "example": '"3"',
}
IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of an earlier response; 304 without a body if nothing has changed since.",
    "schema": {"type": "string"},
    "example": '"3"',
}
SUBPROTOCOL: Final = {
    "Sec-WebSocket-Protocol": {
        "description": "The selected subprotocol, if the client offered one.",
        "schema": {"type": "string", "enum": ["tracker.v1", "tracker.v1.msgpack"]},
        "example": "tracker.v1",
    }
}
RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before a retry.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    }
}
LOCATION: Final = {
    "Location": {
        "description": "Path of what was created.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/v1/orders/{ORDER_ID}",
    }
}
REPLAYED: Final = {
    "Idempotent-Replayed": {
        "description": "`true` on an earlier response to the same `Idempotency-Key`; absent otherwise.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    }
}
ETAG: Final = {
    "ETag": {
        "description": "Version of the response, in quotes. That of an order is its `version`.",
        "schema": {"type": "string"},
        "example": '"3"',
    }
}
RATE_LIMIT: Final = {
    "RateLimit-Policy": {
        "description": "`q` requests (of drivers: fixes) are allowed in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"default";q=6000;w=60',
    },
    "RateLimit": {
        "description": "`r` are left; all of them again in `t` seconds.",
        "schema": {"type": "string"},
        "example": '"default";r=5999;t=1',
    },
}


def request_headers(spec: EndpointSpec) -> Iterator[dict[str, Any]]:
    """Yield the header parameters of an operation."""
    if spec.creates:
        yield IDEMPOTENCY_KEY
    if spec.versioned:
        yield IF_MATCH
    if HTTPStatus.NOT_MODIFIED in spec.others:
        yield IF_NONE_MATCH


def response_headers(spec: EndpointSpec, scope: str | None) -> dict[str, Any]:
    """Return the member `headers` of a successful response, or nothing."""
    found: dict[str, Any] = {}
    if spec.status == HTTPStatus.CREATED:
        found |= LOCATION
    if spec.creates:
        found |= REPLAYED
    if spec.answer is OrderAnswer or HTTPStatus.NOT_MODIFIED in spec.others:
        found |= ETAG
    if scope is not None or spec.by_driver:
        found |= RATE_LIMIT
    return {"headers": found} if found else {}
