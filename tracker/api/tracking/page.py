"""The customer's page, its static files, and the tiles and style of the map."""

from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from quart import Blueprint, Response, render_template, request
from quart.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from tracker.api.client_info import base_url, public_path
from tracker.api.compression import accepts_brotli, accepts_gzip
from tracker.api.headers import add_cors_headers, add_page_headers
from tracker.api.static_files import WebFile, static_url, web_files
from tracker.api.tracking.card import STEPS, describe, newest_photo
from tracker.api.tracking.link import find_link, snapshot_of
from tracker.api.tracking.loader import loader, policy_with_loader
from tracker.api.tracking.sketch import draw
from tracker.api.tracking.translations import Translations, choose_words
from tracker.domain.privacy.display_name import initial
from tracker.errors import MapUnavailable, NotFound
from tracker.map.basemap import Basemap
from tracker.map.basemap.palette import Theme
from tracker.map.basemap.style import style
from tracker.messages import Snapshot
from tracker.node import current_node
from tracker.system.package_files import folder
from tracker.tokens import token_before_more

PREFERS_DARK: Final = "(prefers-color-scheme: dark)"
DARK_MEDIA: Final = {"light": "not all", "dark": "all"}  # media query of the dark colours, by `?theme=`
IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "public, no-cache"
PLAIN: Final = "text/plain; charset=utf-8"
ONE_DAY: Final = "public, max-age=86400"
NO_STORE: Final = "no-store"  # what a tracking link shows must not be cached

blueprint = Blueprint("pages", __name__, template_folder=str(folder("web") / "templates"))


class _AnyPathConverter(PathConverter):
    """The rest of a path, line breaks included, which Werkzeug's converter does not match."""

    regex = r"[^/][\s\S]*?"


@blueprint.record_once
def _register_converters(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["anything"] = _AnyPathConverter


@blueprint.before_app_serving
def _preload() -> None:
    web_files().preload()


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


@blueprint.after_app_request
async def _open(response: Response) -> Response:
    return add_cors_headers(response)


# --- the pages


@blueprint.get("/")
async def start() -> Response:
    return await _message(
        200,
        "Order tracking",
        ["To see where your order is, open the tracking link that the shop sent you."],
        links=[("API documentation", public_path("/docs"))],
    )


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
    context = _template_context(snapshot, token, _words(language))
    response = _html(200, await render_template("track.html", **context))
    response.headers["Content-Security-Policy"] = policy_with_loader()
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


def _words(of_the_order: str | None = None) -> Translations:
    asked = request.args.get("lang")
    return choose_words(asked, of_the_order, [tag for tag, quality in request.accept_languages if quality])


def _template_context(snapshot: Snapshot, token: str, words: Translations) -> dict[str, object]:
    driver, card, photo = snapshot.driver, describe(snapshot, words), newest_photo(snapshot)
    ended, messages = snapshot.visibility == "ended", words.messages
    return {
        "words": words,
        "say": words.say,
        "messages": _data_block({"language": words.language, "locale": words.tag, "messages": messages}),
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
        "snapshot": _data_block(snapshot),
        "static": static_url,
        "dark": DARK_MEDIA.get(request.args.get("theme", ""), PREFERS_DARK),
        "map": "off" if "no-map" in request.args else "wait" if current_node().basemap.ready else "sketch",
    }


def _data_block(content: object) -> Markup:
    """Return JSON that cannot close the element around it."""
    text = msgspec.json.encode(content).decode()
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


async def _no_such_link() -> Response:
    words = _words()
    return await _message(
        404,
        words.say("missing.title"),
        [words.say("missing.why"), words.say("missing.what")],
        words=words,
    )


async def _message(
    status: int,
    title: str,
    paragraphs: list[str],
    *,
    links: Sequence[tuple[str, str]] = (),
    words: Translations | None = None,
) -> Response:
    language, direction = ("en", "ltr") if words is None else (words.language, words.direction)
    texts = {"title": title, "paragraphs": paragraphs, "links": links}
    page = await render_template(
        "message.html", **texts, language=language, direction=direction, static=static_url
    )
    return _html(status, page)


def _html(status: int, page: str) -> Response:
    headers = {"Cache-Control": NO_STORE, "X-Robots-Tag": "noindex"}
    return Response(page, status, headers, content_type="text/html; charset=utf-8")


# --- files


@blueprint.get("/static/<path:name>")
async def static_file(name: str) -> Response:
    """Send a file. With the current version in its URL it is immutable, otherwise revalidated."""
    files = web_files()
    version, _, rest = name.partition("/")
    is_current = version == files.version
    file = files.find(rest) if is_current else files.find(name) or files.find(rest)
    if file is None:
        raise NotFound("file")
    return _file(file, IMMUTABLE if is_current else REVALIDATE)


@blueprint.get("/favicon.ico")
async def favicon() -> Response:
    """Send the icon. Browsers ask for it by this name if a document does not name one."""
    return _file(cast("WebFile", web_files().find("icons/pin.svg")), ONE_DAY)


@blueprint.get("/robots.txt")
async def robots() -> Response:
    """Tell crawlers that they may not open tracking links."""
    lines = ["User-agent: *", *(f"Disallow: {public_path(path)}" for path in ("/t/", "/embed/"))]
    return Response("\n".join(lines) + "\n", 200, {"Cache-Control": ONE_DAY}, content_type=PLAIN)


def _file(file: WebFile, caching: str) -> Response:
    headers = {"Cache-Control": caching, "ETag": f'"{file.etag}"', "Vary": "Accept-Encoding"}
    if request.if_none_match.contains(file.etag):
        return Response(b"", 304, headers)
    content, encoding = file.encoded(gzip=accepts_gzip(), brotli=accepts_brotli())
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(content, 200, headers, content_type=file.content_type)


# --- the map


def _basemap() -> Basemap:
    """Return the map tiles. Raises MapUnavailable; pages then show a sketch."""
    if (basemap := current_node().basemap).value is None:
        raise MapUnavailable(f"There are no map tiles. {basemap.why}")
    return basemap.value


@blueprint.get("/map/style.json")
async def map_style() -> Response:
    theme: Theme = "dark" if request.args.get("theme") == "dark" else "light"
    basemap = _basemap()
    zooms = basemap.min_zoom, basemap.max_zoom
    found = style(theme, bounds=basemap.coverage, zooms=zooms, static=static_url, tiles=public_path("/tiles"))
    headers = {"Cache-Control": REVALIDATE}
    return Response(msgspec.json.encode(found), 200, headers, content_type="application/json")


@blueprint.get("/tiles/<int:z>/<int:x>/<int:y>.mvt")
async def tile(z: int, x: int, y: int) -> Response:
    """Send a vector tile, gzipped as in the file, or 204 if it is empty."""
    content = _basemap().tile(z, x, y)
    current_node().metrics.tiles.labels("empty" if content is None else "sent").inc()
    headers = {"Cache-Control": ONE_DAY}
    if content is None:
        return Response(b"", 204, headers)
    tile_type = "application/vnd.mapbox-vector-tile"
    return Response(content, 200, {**headers, "Content-Encoding": "gzip"}, content_type=tile_type)
