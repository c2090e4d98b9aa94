"""`/drive`: the driver's page, its service worker and its web app manifest.

The page holds no personal data and is the same for everybody, so the service worker may store it. The page's
scripts read the driver's token from the browser's own storage.
"""

from functools import cache
from typing import Final

import msgspec
from quart import Blueprint, Response, render_template

from tracker.api.client_info import public_path
from tracker.api.headers import DRIVER_PERMISSIONS, add_page_headers
from tracker.api.static_files import static_url, web_files
from tracker.system.package_files import folder

WORKER: Final = "src/drive/service-worker.js"
SHARED: Final = (  # with the customer's page
    "src/environment.js",
    "src/random-id.js",
    "src/reconnect.js",
    "src/words.js",
)
MANIFEST: Final = "/drive/app.webmanifest"
STYLE: Final = "style/drive.css"
ICON: Final = "icons/drive.svg"
MASKABLE_ICON: Final = "icons/drive-maskable.svg"
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
    """Send the web app manifest, by which a phone installs the page."""
    icons = [
        {"src": static_url(name), "sizes": "any", "type": "image/svg+xml", "purpose": purpose}
        for name, purpose in ((ICON, "any"), (MASKABLE_ICON, "maskable"))
    ]
    content = {
        "id": public_path("/drive"),
        "name": "Deliveries",
        "short_name": "Deliveries",
        "description": "A driver's orders, also without a network.",
        "start_url": public_path("/drive"),
        "scope": public_path("/drive"),
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b3d91",
        "icons": icons,
    }
    headers = {"Cache-Control": REVALIDATE}
    return Response(msgspec.json.encode(content), 200, headers, content_type="application/manifest+json")


@cache
def modules() -> tuple[str, ...]:
    """Return the page's scripts, all of which it imports at its start."""
    own = web_files().names("src/drive/", ".js")
    return (*SHARED, *(name for name in own if name != WORKER))


def shell_files() -> tuple[str, ...]:
    """Return what the page needs without a network, besides itself."""
    return (STYLE, ICON, *modules(), *web_files().names("messages/drive/", ".json"))
