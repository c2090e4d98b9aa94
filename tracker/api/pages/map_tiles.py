"""The map's style and tiles for browsers."""

from typing import Final

import msgspec
from quart import Blueprint, Response, request

from tracker.api.client_info import public_path
from tracker.api.headers import add_page_headers
from tracker.api.pages.files import ONE_DAY, REVALIDATE
from tracker.api.static_files import static_url
from tracker.errors import MapUnavailable
from tracker.map.basemap import Basemap
from tracker.map.basemap.palette import Theme
from tracker.map.basemap.style import style
from tracker.node import current_node

TILE_TYPE: Final = "application/vnd.mapbox-vector-tile"

blueprint = Blueprint("map_tiles", __name__)


@blueprint.after_request
async def _protect(response: Response) -> Response:
    return add_page_headers(response)


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
    return Response(content, 200, {**headers, "Content-Encoding": "gzip"}, content_type=TILE_TYPE)
