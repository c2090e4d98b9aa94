"""Rate limits of API keys and driver tokens, charged before a body is read and reported in headers.

The headers follow the IETF draft "RateLimit header fields for HTTP", so that clients can adjust their rate.
"""

from math import ceil
from time import monotonic
from typing import Final

from quart import Response, g

from tracker.errors import RateLimited
from tracker.rate_limits import RateLimit

POLICY_NAME: Final = '"default"'  # name of the only policy


def take_allowance(rates: RateLimit, key: str, detail: str, *, amount: float = 1.0) -> None:
    """Take *amount* from the allowance of *key*, or nothing if less is left. Raises RateLimited."""
    now = monotonic()
    is_taken = rates.try_take(key, amount, now)
    g.allowance = rates, key
    if not is_taken:
        missing = max(1.0, amount - rates.left(key, now))
        raise RateLimited(detail, after_s=missing * rates.window_s / rates.at_once)


async def add_rate_limit_headers(response: Response) -> Response:
    """Add the remaining allowance to the response, and keep responses to keys and tokens out of caches."""
    if "allowance" in g:
        rates, key = g.allowance
        left = rates.left(key, monotonic())
        until_full_s = ceil((rates.at_once - left) * rates.window_s / rates.at_once)
        response.headers["RateLimit-Policy"] = f"{POLICY_NAME};q={rates.at_once:.0f};w={rates.window_s:.0f}"
        response.headers["RateLimit"] = f"{POLICY_NAME};r={int(left)};t={until_full_s}"
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response
