"""The start page."""

from quart import Blueprint, Response

from tracker.api.client_info import public_path
from tracker.api.headers import add_page_headers
from tracker.api.pages.html import message_page

blueprint = Blueprint("site", __name__)


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


@blueprint.get("/")
async def start() -> Response:
    return await message_page(
        200,
        "Order tracking",
        ["To see where your order is, open the tracking link that the shop sent you."],
        links=[("API documentation", public_path("/docs"))],
    )
