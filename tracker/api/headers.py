"""Headers of responses: security headers, further ones for pages, and cross-origin access (CORS).

A tracking link is its own credential, and no cookie opens anything there. So scripts of any origin may read
what a link opens, and a shop can show an order on its own page. The merchants' API allows no other origin.
"""

from typing import Final

from quart import Response, request

from tracker.api.client_info import request_scheme

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a URL may hold a link's token
}
OF_TLS: Final = ALWAYS | {"Strict-Transport-Security": "max-age=31536000"}
POLICY: Final = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; worker-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {ancestors}"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": POLICY.format(scripts="", ancestors="'none'"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}
PLACE_PERMISSIONS: Final = "geolocation=(self), camera=(), microphone=()"  # a customer may move the pin
DRIVER_PERMISSIONS: Final = "geolocation=(self), camera=(self), screen-wake-lock=(self), microphone=()"
OPEN: Final = ("/v1/track/", "/embed/", "/static/", "/tiles/", "/map/style.json")
CROSS_ORIGIN: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Idempotent-Replayed, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",  # for cross-origin isolated sites
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key, Last-Event-ID",
    "Access-Control-Max-Age": "86400",  # seconds
}


async def add_security_headers(response: Response) -> Response:
    """Add the headers of every response; headers that are set already stay."""
    wanted = OF_TLS if request_scheme() == "https" else ALWAYS
    headers = response.headers
    present = {name.lower() for name, _ in headers}  # a look-up of an absent one raises and catches an error
    for name, value in wanted.items():
        if name.lower() not in present:
            headers.add(name, value)
    return response


def page_policy(script_hash: str, *, framed: bool = False) -> str:
    """Return the policy of a page with a script in its HTML. *framed*: other sites may frame the page."""
    return POLICY.format(scripts=f" '{script_hash}'", ancestors="*" if framed else "'none'")


def add_page_headers(response: Response) -> Response:
    """Add the headers of a page; headers that are set already stay."""
    for name, content in PAGE_HEADERS.items():
        response.headers.setdefault(name, content)
    if request.path.startswith("/embed/"):
        del response.headers["X-Frame-Options"]  # frame-ancestors replaces it
    return response


def add_cors_headers(response: Response) -> Response:
    """Add CORS headers (Fetch standard) where other origins may read the response, errors included."""
    if request.path.startswith(OPEN):
        response.headers.update(CROSS_ORIGIN)
        if request.method == "OPTIONS":
            response.headers.update(PREFLIGHT)
    return response
