"""`/dispatch`: the dispatcher's board. It holds no data; its scripts log in and read the API."""

from functools import cache
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, render_template, request

from tracker.api.client_info import public_path
from tracker.api.headers import add_page_headers
from tracker.api.pages.brand_files import brand_look
from tracker.api.pages.html import data_block, html
from tracker.api.static_files import static_url, web_files
from tracker.api.tracking.translations import choose_words
from tracker.node import current_node
from tracker.system.package_files import folder

LANGUAGES: Final = ("en", "de", "fi", "ar")
MESSAGES: Final = "messages/dispatch/"  # a folder for each part of the page
STYLES: Final = "style/dispatch/"

blueprint = Blueprint("dispatch", __name__, template_folder=str(folder("web") / "templates"))


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


@blueprint.get("/dispatch")
async def dispatch() -> Response:
    """Show the board, in the language of `?lang=` or else of the browser."""
    accepted = [tag for tag, quality in request.accept_languages if quality]
    words = choose_words(request.args.get("lang"), None, accepted, LANGUAGES)
    messages = _messages(words.language)
    page = await render_template(
        "dispatch.html",
        words=words,
        title=messages["title"],
        without_script=messages["no_script"],
        say=messages.__getitem__,
        messages=data_block({"language": words.language, "locale": words.tag, "messages": messages}),
        brand=await brand_look(),
        static=static_url,
        styles=web_files().names(STYLES, ".css"),
        base=public_path("/"),
        map="wait" if current_node().basemap.ready else "plain",
    )
    response = html(200, page)
    response.headers["Content-Language"] = words.language
    response.vary.add("Accept-Language")
    return response


@cache
def _messages(language: str) -> dict[str, Any]:
    """Return the texts of all parts of the page: each a string, or a string for each plural form."""
    found: dict[str, Any] = {}
    for name in web_files().names(MESSAGES, f"/{language}.json"):
        file = web_files().find(name)
        assert file is not None, name
        found |= msgspec.json.decode(file.content, type=dict[str, Any])
    return found
