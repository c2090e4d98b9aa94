"""`/drive`: the driver's page, its service worker and its web app manifest.

The page holds no personal data and is the same for everybody, so the service worker may store it. The page's
scripts read the driver's token from the browser's own storage.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, render_template, request

from tracker.api.client_info import public_path
from tracker.api.headers import DRIVER_PERMISSIONS, add_page_headers
from tracker.api.static_files import TYPES, static_url, web_files
from tracker.system.package_files import folder

WORKER: Final = "src/drive/service-worker.js"
SHARED: Final = (  # with the customer's page
    "src/environment.js",
    "src/random-id.js",
    "src/reconnect.js",
    "src/translations.js",
)
MANIFEST: Final = "/drive/app.webmanifest"
STYLE: Final = "style/drive.css"
ICON: Final = "icons/drive.svg"
APPLE_ICON: Final = "icons/drive-apple-180.png"  # iOS takes no SVG
ICONS: Final = (  # of an installed page: file, pixels, purpose
    (ICON, "any", "any"),
    ("icons/drive-maskable.svg", "any", "maskable"),
    ("icons/drive-192.png", "192x192", "any"),
    ("icons/drive-512.png", "512x512", "any"),
    ("icons/drive-maskable-512.png", "512x512", "maskable"),
)
MESSAGES: Final = "messages/drive/"
RIGHT_TO_LEFT: Final = frozenset({"ar"})
REVALIDATE: Final = "no-cache"

blueprint = Blueprint("drive", __name__, template_folder=str(folder("web") / "templates"))


@blueprint.after_request
async def _protect(response: Response) -> Response:
    response.headers["Permissions-Policy"] = DRIVER_PERMISSIONS
    return add_page_headers(response)


@blueprint.get("/drive")
async def drive() -> Response:
    """Show the driver's page."""
    html = await render_template(
        "drive.html", static=static_url, manifest=public_path(MANIFEST), modules=modules()
    )
    headers = {"Cache-Control": REVALIDATE, "X-Robots-Tag": "noindex"}
    return Response(html, 200, headers, content_type="text/html; charset=utf-8")


@blueprint.get("/drive/worker.js")
async def service_worker() -> Response:
    """Send the service worker with the list of files that it stores. A new version is a new worker."""
    files = web_files()
    found = files.find(WORKER)
    shell = {
        "version": files.version,
        "page": public_path("/drive"),
        "files": [public_path(MANIFEST), *map(static_url, shell_files())],
    }
    content = b"self.SHELL = " + msgspec.json.encode(shell) + b";\n" + (found.content if found else b"")
    headers = {"Cache-Control": REVALIDATE, "Service-Worker-Allowed": public_path("/drive")}
    return Response(content, 200, headers, content_type="text/javascript; charset=utf-8")


@blueprint.get(MANIFEST)
async def manifest() -> Response:
    """Send the web app manifest, by which a phone installs the page, in the reader's language."""
    language = _language()
    texts = _texts(language)
    icons = [
        {"src": static_url(name), "sizes": sizes, "type": TYPES[Path(name).suffix], "purpose": purpose}
        for name, sizes, purpose in ICONS
    ]
    content = {
        "id": public_path("/drive"),
        "lang": language,
        "dir": "rtl" if language in RIGHT_TO_LEFT else "ltr",
        "name": texts["title"],
        "short_name": texts["title"],
        "description": texts["title.what"],
        "start_url": public_path("/drive"),
        "scope": public_path("/drive"),
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b3d91",
        "icons": icons,
    }
    headers = {"Cache-Control": REVALIDATE, "Content-Language": language, "Vary": "Accept-Language"}
    return Response(msgspec.json.encode(content), 200, headers, content_type="application/manifest+json")


def _language() -> str:
    """Return the first language of the reader that the page has, as the page's scripts choose it."""
    known = [Path(name).stem for name in web_files().names(MESSAGES, ".json")]
    wanted = (tag.lower().partition("-")[0] for tag in request.accept_languages.values())
    return next((language for language in wanted if language in known), "en")


@cache
def _texts(language: str) -> dict[str, Any]:
    """Return the page's texts: each a string, or a string for each plural form."""
    found = web_files().find(f"{MESSAGES}{language}.json")
    assert found is not None, language
    return msgspec.json.decode(found.content, type=dict[str, Any])


@cache
def modules() -> tuple[str, ...]:
    """Return the page's scripts, all of which it imports at its start."""
    own = web_files().names("src/drive/", ".js")
    return (*SHARED, *(name for name in own if name != WORKER))


def shell_files() -> tuple[str, ...]:
    """Return what the page needs without a network, besides itself."""
    return (STYLE, ICON, APPLE_ICON, *modules(), *web_files().names(MESSAGES, ".json"))
