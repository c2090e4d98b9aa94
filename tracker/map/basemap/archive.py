"""Archive: a PMTiles file with all tiles of a map, its writer and its reader."""

import mmap
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import asinh, atan, degrees, pi, radians, sinh, tan
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec
from pmtiles.reader import Reader
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from tracker.map.extent import LIMIT, middle

LAYERS: Final = ("earth", "landuse", "water", "buildings", "roads", "boundaries", "places", "pois")
MAX_ZOOM: Final = 15
MIN_ZOOM: Final = 11
ATTRIBUTION: Final = "© OpenStreetMap contributors"
_E7: Final = 10_000_000

Bounds = tuple[float, float, float, float]


class TileId(NamedTuple):
    """Zoom level, column from the west, row from the north."""

    z: int
    x: int
    y: int


class Tile(msgspec.Struct, frozen=True):
    """One Mapbox vector tile."""

    id: TileId
    content: bytes  # gzipped


class _Coverage:
    """The box around tiles of any zoom level."""

    def __init__(self) -> None:
        self._edges = [1.0, 1.0, 0.0, 0.0]  # west, north, east, south; 0 to 1 across the world

    def add(self, tile: TileId) -> None:
        side = 1 << tile.z
        low = (tile.x / side, tile.y / side)
        high = ((tile.x + 1) / side, (tile.y + 1) / side)
        self._edges[:2] = (min(here, new) for here, new in zip(self._edges[:2], low, strict=True))
        self._edges[2:] = (max(here, new) for here, new in zip(self._edges[2:], high, strict=True))

    @property
    def bounds(self) -> Bounds:
        west, north, east, south = self._edges
        return (west * 360 - 180, _latitude(south), east * 360 - 180, _latitude(north))


def _latitude(y: float) -> float:
    """Return the latitude in degrees of *y*, which runs from 0 in the north to 1 in the south."""
    return degrees(atan(sinh(pi * (1 - 2 * y))))


def write_archive(
    path: Path, tiles: Iterable[Tile], bounds: Bounds, name: str, *, blank: Callable[[TileId], Tile]
) -> None:
    """Write the tiles to another file, then rename it, so that the file at *path* is always complete.

    *tiles* may come in any order; their content is buffered on disk. Without tiles, the file gets one tile
    that *blank* makes.
    """
    unfinished = path.with_suffix(".part")
    coverage = _Coverage()
    with tempfile.TemporaryFile(dir=path.parent) as contents, unfinished.open("wb") as file:
        index: list[tuple[int, int, int]] = []  # tile, offset, length
        for tile in tiles:
            coverage.add(tile.id)
            index.append((zxy_to_tileid(*tile.id), contents.tell(), len(tile.content)))
            contents.write(tile.content)
        if not index:
            only = blank(tile_at(*_center(bounds), MIN_ZOOM))
            coverage.add(only.id)
            index.append((zxy_to_tileid(*only.id), 0, len(only.content)))
            contents.write(only.content)
        writer = Writer(file)
        for tile_id, offset, length in sorted(index):
            contents.seek(offset)
            writer.write_tile(tile_id, contents.read(length))
        writer.finalize(_header(bounds), _metadata(name, {"bulk": bounds, "coverage": coverage.bounds}))
    unfinished.rename(path)


def tile_at(lon: float, lat: float, zoom: int) -> TileId:
    """Return the tile of a place in degrees; beyond the edge of Web Mercator, the nearest one."""
    side = 1 << zoom
    lat = min(LIMIT, max(-LIMIT, lat))
    x, y = (lon + 180) / 360, (1 - asinh(tan(radians(lat))) / pi) / 2
    return TileId(zoom, min(side - 1, max(0, int(x * side))), min(side - 1, max(0, int(y * side))))


def _center(bounds: Bounds) -> tuple[float, float]:
    west, south, east, north = bounds
    return middle(west, east), (south + north) / 2


def _header(bounds: Bounds) -> dict[str, Any]:
    west, south, east, north = bounds
    if west > east:  # across the antimeridian, which the format can't express
        west, east = -180.0, 180.0
    lon, lat = _center(bounds)
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": round(west * _E7),
        "min_lat_e7": round(south * _E7),
        "max_lon_e7": round(east * _E7),
        "max_lat_e7": round(north * _E7),
        "center_zoom": 14,
        "center_lon_e7": round(lon * _E7),
        "center_lat_e7": round(lat * _E7),
    }


def _metadata(name: str, boxes: Mapping[str, Bounds]) -> dict[str, Any]:
    layers: Sequence[dict[str, Any]] = [
        {"id": layer, "fields": {"kind": "String"}, "minzoom": MIN_ZOOM, "maxzoom": MAX_ZOOM}
        for layer in LAYERS
    ]
    return {"name": name, "attribution": ATTRIBUTION, "vector_layers": layers, **boxes}


class Basemap:
    """A reader of tiles that maps the file into memory. Close it when done."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._reader = Reader(lambda offset, length: self._bytes[offset : offset + length])
        header = self._reader.header()
        self.min_zoom: int = header["min_zoom"]
        self.max_zoom: int = header["max_zoom"]
        self.center: tuple[float, float] = (header["center_lon_e7"] / _E7, header["center_lat_e7"] / _E7)
        self.metadata: dict[str, Any] = self._reader.metadata()
        box = tuple(header[f"{edge}_e7"] / _E7 for edge in ("min_lon", "min_lat", "max_lon", "max_lat"))
        # The bounds of the map, which may lie across the antimeridian, and the box around all tiles.
        self.bounds: Bounds = tuple(self.metadata.get("bulk", box))
        self.coverage: Bounds = tuple(self.metadata.get("coverage", box))

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """Return the gzipped tile, or None if there is nothing to draw."""
        side = 2**z if 0 <= z <= self.max_zoom else 0
        if not (0 <= x < side and 0 <= y < side):
            return None
        found: bytes | None = self._reader.get(z, x, y)
        return found

    def close(self) -> None:
        self._bytes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
