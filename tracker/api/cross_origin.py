"""CrossOrigin: which answers scripts of other sites may read, so that a shop can show an order on its page.

A tracking link carries its right in itself and nothing here reads a cookie, so what a link opens may be
read from anywhere: whoever can ask has the link already. The API for merchants stays shut.
"""

from typing import Final

from quart import Response, request

OPEN: Final = ("/v1/track/", "/embed/", "/static/", "/tiles/", "/map/style.json")
HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",  # for sites that isolate themselves
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "86400",  # seconds
}


def opened_to_others(response: Response) -> Response:
    """The answer with the Fetch standard's headers where other origins may read it, refusals included."""
    if request.path.startswith(OPEN):
        response.headers.update(HEADERS)
        if request.method == "OPTIONS":
            response.headers.update(PREFLIGHT)
    return response
