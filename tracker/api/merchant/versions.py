"""Versions of orders: `ETag`, `If-Match` and `If-None-Match` (RFC 9110)."""

from quart import Response, request

from tracker.api.json_bodies import answer
from tracker.messages.orders import OrderAnswer


def etag(version: int) -> str:
    return f'"{version}"'


def if_match() -> frozenset[int] | None:
    """Return the versions that `If-Match` allows; None: any. A tag that is no version allows nothing."""
    if not request.headers.get("If-Match", "").strip() or request.if_match.star_tag:
        return None
    return frozenset(
        int(tag)
        for tag in request.if_match.as_set()
        if tag is not None and tag.isascii() and tag.isdigit() and len(tag) < 10  # `""` has no text
    )


def order_response(order: OrderAnswer) -> Response:
    """Return an order with its `ETag`, or 304 if the client has this version.

    A forecast changes without a new version, so an order with one is always sent.
    """
    is_known = request.method in {"GET", "HEAD"} and request.if_none_match.contains_weak(str(order.version))
    response = Response(status=304) if is_known and order.eta is None else answer(order)
    response.headers["ETag"] = etag(order.version)
    return response
