"""Options that commands share, and what a user can do about an error."""

from collections.abc import Mapping
from typing import Final

import click

from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.merchant_api import ApiError

_MAKE_KEY: Final = "`tracker keys create --name simulator --scope orders` makes one"
_REQUEST_FIXES: Final[Mapping[int, str]] = {  # by HTTP status, or 0 without a response
    0: "start the service, or give its address with --url",
    401: f"give a valid key with --api-key ({_MAKE_KEY})",
    403: f"give a key with the scope `orders` ({_MAKE_KEY})",
}
_TOKEN_FIX: Final = "give the token of a driver with --token"
_CLOSE_FIXES: Final[Mapping[int, str]] = dict.fromkeys((401, 403, 4001, 4003, 4011), _TOKEN_FIX)


url_option = click.option(
    "--url",
    envvar="DRIVER_SIM_URL",
    default="http://127.0.0.1:8080",
    show_envvar=True,
    help="Address of the service.",
)
key_option = click.option(
    "--api-key",
    envvar="DRIVER_SIM_API_KEY",
    show_envvar=True,
    required=True,
    help="API key with the scope `orders`.",
)


def with_fix(error: BaseException) -> str:
    """Return the error in one line, with what the user can do if that is known."""
    match error:
        case ApiError(status=status):
            fix = _REQUEST_FIXES.get(status)
        case PermanentDisconnect(code=code):
            fix = _CLOSE_FIXES.get(code)
        case _:
            fix = None
    return str(error) if fix is None else f"{str(error).rstrip('.')}; {fix}."
