"""`/docs`: the description of the API in a self-hosted Swagger UI."""

from quart import Blueprint, Response, render_template

from tracker.api.client_info import public_path
from tracker.api.headers import add_page_headers
from tracker.api.static_files import static_url

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
async def docs() -> Response:
    """Show the description of the API."""
    page = await render_template("docs.html", static=static_url, description=public_path("/openapi.json"))
    headers = {"Cache-Control": "no-cache"}
    return add_page_headers(Response(page, 200, headers, content_type="text/html; charset=utf-8"))
