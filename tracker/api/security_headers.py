"""Headers that every answer has, whoever asks and whatever comes of it."""

from typing import Final

from quart import Response

from tracker.api.visitors import asked_url

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an address may hold a link's token
}
UNDER_TLS: Final = {"Strict-Transport-Security": "max-age=31536000"}


async def with_security_headers(response: Response) -> Response:
    """A page's own headers stand."""
    wanted = ALWAYS | UNDER_TLS if asked_url().startswith("https:") else ALWAYS
    for name, value in wanted.items():
        response.headers.setdefault(name, value)
    return response
