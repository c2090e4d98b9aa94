"""The start page, and the page for paths that do not exist. Programs get a problem instead of the latter."""

from collections.abc import Iterator
from typing import Any, Final, cast

from quart import Blueprint, Quart, Response, current_app
from werkzeug.exceptions import HTTPException, NotFound

from tracker.api.client_info import public_path
from tracker.api.errors import http_error_response
from tracker.api.headers import add_page_headers
from tracker.api.pages.html import PageLink, message_page, prefers_html
from tracker.node import current_node

PLACES: Final = (  # path, words, what it is
    ("/dispatch", "Dispatch board", "see all drivers and orders; needs an API key"),
    ("/drive", "Driver page", "turn a phone's browser into a driver app; needs a driver's token"),
    ("/docs", "API reference", "all calls, with examples"),
    ("/readyz", "Health", "whether this service works, and what is wrong if it does not"),
)

blueprint = Blueprint("site", __name__)


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


@blueprint.get("/")
async def start() -> Response:
    """Say what this is, and lead to what it has for people."""
    brand = await current_node().brands.current()
    return await message_page(
        200,
        f"{brand.name}: order tracking" if brand.name else "Order tracking",
        [
            "To see where your order is, open the tracking link that the shop sent you.",
            "This service follows deliveries live: drivers stream their positions, customers watch their "
            "order on a map, and shops create orders by an API.",
        ],
        links=list(_links()),
    )


def register_unknown_paths(app: Quart) -> None:
    """Make *app* answer unknown paths with a page, if a browser asks."""
    app.register_error_handler(NotFound, cast("Any", _unknown_path))


async def _unknown_path(error: HTTPException) -> Response:
    problem = await http_error_response(error)
    problem.vary.add("Accept")
    if not prefers_html():
        return problem
    page = await message_page(
        404,
        "This page does not exist",
        ["Check the address. To see where your order is, open the tracking link that the shop sent you."],
        links=[PageLink("Start page", public_path("/"))],
    )
    page.vary.add("Accept")
    return add_page_headers(page)


def _links() -> Iterator[PageLink]:
    """Yield the places that this version has."""
    known = {rule.rule for rule in current_app.url_map.iter_rules()}
    for path, words, note in PLACES:
        if path in known:
            yield PageLink(words, public_path(path), note)
