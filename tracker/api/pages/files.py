"""Static files of the pages, and the few files that browsers and crawlers ask for by name."""

from typing import Final, cast

from quart import Blueprint, Response, request

from tracker.api.client_info import public_path
from tracker.api.compression import accepts_brotli, accepts_gzip
from tracker.api.headers import add_page_headers
from tracker.api.pages.brand_files import IMMUTABLE
from tracker.api.static_files import WebFile, web_files
from tracker.errors import NotFound

REVALIDATE: Final = "public, no-cache"
PLAIN: Final = "text/plain; charset=utf-8"
ONE_DAY: Final = "public, max-age=86400"

blueprint = Blueprint("files", __name__)


@blueprint.before_app_serving
def _preload() -> None:
    web_files().preload()


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


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
