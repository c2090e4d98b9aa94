"""`/docs`: the description of the API in a self-hosted Swagger UI."""

from quart import Blueprint, Response, render_template

from tracker.api.headers import add_page_headers
from tracker.api.static_files import web_files

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
async def docs() -> Response:
    """Show the description of the API."""
    page = await render_template("docs.html", static=web_files().url)
    headers = {"Cache-Control": "no-cache"}
    return add_page_headers(Response(page, 200, headers, content_type="text/html; charset=utf-8"))
