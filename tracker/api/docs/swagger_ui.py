"""`/docs`: the description of the API for people, with Swagger UI from our own server."""

from quart import Blueprint, Response, render_template

from tracker.api.headers import add_page_headers
from tracker.api.static_files import web_files

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
async def docs() -> Response:
    """The page; its template lies with the others."""
    page = await render_template("docs.html", static=web_files().url)
    headers = {"Cache-Control": "no-cache"}
    return add_page_headers(Response(page, 200, headers, content_type="text/html; charset=utf-8"))
