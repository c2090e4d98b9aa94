"""Archive: one PMTiles file with all tiles of a map, and its reader."""

import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec
from pmtiles.reader import Reader
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

LAYERS: Final = ("earth", "landuse", "water", "buildings", "roads", "boundaries", "places", "pois")
MAX_ZOOM: Final = 15
MIN_ZOOM: Final = 11
ATTRIBUTION: Final = "© OpenStreetMap contributors"
_E7: Final = 10_000_000

Bounds = tuple[float, float, float, float]


class TileId(NamedTuple):
    """Zoom, column from the west, row from the north."""

    z: int
    x: int
    y: int


class Tile(msgspec.Struct, frozen=True):
    """One Mapbox vector tile."""

    id: TileId
    content: bytes  # gzipped


def write_archive(path: Path, tiles: Iterable[Tile], bounds: Bounds, name: str) -> None:
    """Whole or not at all: the file gets its name when everything is in it."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        writer = Writer(file)
        for tile_id, content in sorted((zxy_to_tileid(*tile.id), tile.content) for tile in tiles):
            writer.write_tile(tile_id, content)
        writer.finalize(_header(bounds), _metadata(name))
    unfinished.rename(path)


def _header(bounds: Bounds) -> dict[str, Any]:
    west, south, east, north = (round(edge * _E7) for edge in bounds)
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": west,
        "min_lat_e7": south,
        "max_lon_e7": east,
        "max_lat_e7": north,
        "center_zoom": 14,
        "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }


def _metadata(name: str) -> dict[str, Any]:
    layers: Sequence[dict[str, Any]] = [
        {"id": layer, "fields": {"kind": "String"}, "minzoom": MIN_ZOOM, "maxzoom": MAX_ZOOM}
        for layer in LAYERS
    ]
    return {"name": name, "attribution": ATTRIBUTION, "vector_layers": layers}


class Basemap:
    """Reads tiles from the file without loading it; close it when done."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._reader = Reader(lambda offset, length: self._bytes[offset : offset + length])
        header = self._reader.header()
        self.min_zoom: int = header["min_zoom"]
        self.max_zoom: int = header["max_zoom"]
        self.bounds: Bounds = (
            header["min_lon_e7"] / _E7,
            header["min_lat_e7"] / _E7,
            header["max_lon_e7"] / _E7,
            header["max_lat_e7"] / _E7,
        )
        self.center: tuple[float, float] = (header["center_lon_e7"] / _E7, header["center_lat_e7"] / _E7)
        self.metadata: dict[str, Any] = self._reader.metadata()

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """Gzipped, or None where there is nothing to draw."""
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
