"""The customer's page, whole or for other sites."""

from typing import Final
from urllib.parse import quote

from markupsafe import Markup
from quart import Blueprint, Response, render_template, request
from quart.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from tracker.api.client_info import base_url, public_path
from tracker.api.headers import PLACE_PERMISSIONS, add_cors_headers, add_page_headers
from tracker.api.pages.brand_files import look_of
from tracker.api.pages.html import NO_STORE, data_block, html, message_page
from tracker.api.static_files import static_url, web_files
from tracker.api.tracking.calendar import times_of
from tracker.api.tracking.card import STEPS, describe, newest_photo
from tracker.api.tracking.link import find_link, snapshot_of
from tracker.api.tracking.loader import loader, policy_with_loader
from tracker.api.tracking.reader import reader_words
from tracker.api.tracking.sketch import draw
from tracker.api.tracking.translations import Translations
from tracker.domain.branding.brand import Brand
from tracker.domain.privacy.display_name import initial
from tracker.errors import NotFound
from tracker.messages import Snapshot
from tracker.node import current_node
from tracker.system.package_files import folder
from tracker.tokens import token_before_more

PREFERS_DARK: Final = "(prefers-color-scheme: dark)"
DARK_MEDIA: Final = {"light": "not all", "dark": "all"}  # media query of the dark colours, by `?theme=`

blueprint = Blueprint("pages", __name__, template_folder=str(folder("web") / "templates"))


class _AnyPathConverter(PathConverter):
    """The rest of a path, line breaks included, which Werkzeug's converter does not match."""

    regex = r"[^/][\s\S]*?"


@blueprint.record_once
def _register_converters(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["anything"] = _AnyPathConverter


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


@blueprint.after_app_request
async def _open(response: Response) -> Response:
    return add_cors_headers(response)


@blueprint.get("/t/<anything:token>")
async def track(token: str) -> Response:
    """Show the page of an order; unknown, revoked and expired links look the same.

    If further characters follow the token of a valid link, redirect to the link.
    """
    link = token_before_more(token)
    try:
        if link is not None:
            await find_link(current_node(), link)
            return _redirect(link)
        snapshot, language = await snapshot_of(token)
    except NotFound:
        return await _no_such_link()
    brand = await current_node().brands.current()
    context = _template_context(snapshot, token, reader_words(brand, language), brand)
    response = html(200, await render_template("track.html", **context))
    response.headers["Content-Security-Policy"] = policy_with_loader()
    if "move_pin" in brand.customer_may:
        response.headers["Permissions-Policy"] = PLACE_PERMISSIONS
    return response


@blueprint.get("/embed/<anything:token>")
async def embedded(token: str) -> Response:
    """Show the page for other sites, in a frame or in `<order-tracker>`."""
    response = await track(token)
    response.headers["Content-Security-Policy"] = policy_with_loader(framed=True)
    return response


def _redirect(token: str) -> Response:
    page = "embed" if request.path.startswith("/embed/") else "t"
    location = location_of(public_path(f"/{page}/{token}"), request.query_string)
    return Response(b"", 308, {"Location": location, "Cache-Control": NO_STORE, "X-Robots-Tag": "noindex"})


def location_of(path: str, query: bytes) -> str:
    """Return the location of *path* on the requested host, with the same query string."""
    kept = quote(query, safe="%=&+,;:@/?!*'()$-._~")
    return f"{path}{kept and f'?{kept}'}"


def _template_context(snapshot: Snapshot, token: str, words: Translations, brand: Brand) -> dict[str, object]:
    driver, card, photo = snapshot.driver, describe(snapshot, words), newest_photo(snapshot)
    ended, messages = snapshot.visibility == "ended", words.messages
    return {
        "words": words,
        "say": words.say,
        "messages": data_block({"language": words.language, "locale": words.tag, "messages": messages}),
        "brand": look_of(brand),
        "may": " ".join(brand.customer_may),
        "origin": base_url(),
        "link": f"/v1/track/{token}",
        "calendar": times_of(snapshot),
        "ended": ended,
        "preview": f"{base_url()}{web_files().url('icons/preview.png')}",
        "loader": Markup(loader()),
        "sketch": draw(snapshot),
        "card": card,
        "steps": STEPS,
        "order": snapshot.order,
        "driver": driver,
        "icon": "done" if card.phase == "done" else driver and driver.vehicle,
        "photo": photo and f"{base_url()}/v1/track/{token}/proofs/{photo}",
        "initial": initial(driver.name) if driver else "",
        "vehicle_name": words.say(f"vehicle.{driver.vehicle}") if driver else "",
        "pill": words.say("pill.ended") if ended else "",  # the script shows the connection
        "snapshot": data_block(snapshot),
        "static": static_url,
        "dark": DARK_MEDIA.get(request.args.get("theme", ""), PREFERS_DARK),
        "map": "off" if "no-map" in request.args else "wait" if current_node().basemap.ready else "sketch",
    }


async def _no_such_link() -> Response:
    words = reader_words(await current_node().brands.current())
    return await message_page(
        404,
        words.say("missing.title"),
        [words.say("missing.why"), words.say("missing.what")],
        language=words.language,
        direction=words.direction,
    )
