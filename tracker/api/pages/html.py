"""Pages for people: their headers, and the plain page that says one thing."""

from collections.abc import Sequence
from typing import Final

import msgspec
from markupsafe import Markup
from msgspec import Struct
from quart import Response, render_template, request

from tracker.api.pages.brand_files import brand_look
from tracker.api.static_files import static_url

NO_STORE: Final = "no-store"  # what a tracking link shows must not be cached


class PageLink(Struct, frozen=True):
    """A link of a page."""

    words: str
    url: str  # path for clients
    note: str = ""  # what is there


def html(status: int, page: str) -> Response:
    """Return a page that is neither cached nor found by search engines."""
    headers = {"Cache-Control": NO_STORE, "X-Robots-Tag": "noindex"}
    return Response(page, status, headers, content_type="text/html; charset=utf-8")


def prefers_html() -> bool:
    """Whether a person's browser asks for a page. Programs that take anything get JSON."""
    accepted = request.accept_mimetypes
    best = accepted.best_match(("application/json", "text/html"), default="application/json")
    return best == "text/html" and accepted["text/html"] > accepted["application/json"]


def data_block(content: object) -> Markup:
    """Return JSON that cannot close the element around it."""
    text = msgspec.json.encode(content).decode()
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


async def message_page(
    status: int,
    title: str,
    paragraphs: Sequence[str],
    *,
    links: Sequence[PageLink] = (),
    language: str = "en",
    direction: str = "ltr",
) -> Response:
    """Return a page with a heading, some sentences and links, in the brand's colours."""
    page = await render_template(
        "message.html",
        title=title,
        paragraphs=paragraphs,
        links=links,
        language=language,
        direction=direction,
        static=static_url,
        brand=await brand_look(),
    )
    return html(status, page)
