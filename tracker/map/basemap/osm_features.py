"""Read the features of the map from an OpenStreetMap file, one by one, in Web Mercator metres."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import osmium
import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.layers import LayerRule, layer_rules
from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import Place, area, lines, to_mercator

COAST: Final = LayerRule("coastline", "coastline", 0, {})  # the water is on the right; not a layer of the map
UNREADABLE: Final = (
    RuntimeError,
    ValueError,
    shapely.errors.ShapelyError,
)  # errors that a bad object may raise
IN_MEMORY: Final = 256 * 2**20  # bytes; for a larger extract the locations of nodes are kept in a file


class Feature(msgspec.Struct, frozen=True):
    """One object on the map; the geometry is in Web Mercator metres, y northwards."""

    rule: LayerRule
    geometry: BaseGeometry


def read_features(
    extract: Path, left_out: LeftOut, on_object: Callable[[], None], nodes_file: Path
) -> Iterator[Feature]:
    """Yield every feature to draw, and the coastline. Objects cut at the edge keep the part that has nodes.

    It calls *on_object* for each object with tags.
    """
    large = extract.stat().st_size > IN_MEMORY
    storage = f"sparse_file_array,{nodes_file}" if large else "flex_mem"
    reader = osmium.FileProcessor(str(extract)).with_locations(storage).with_areas()
    objects: Iterator[Any] = iter(reader.with_filter(osmium.filter.EmptyTagFilter()))
    for item in objects:
        if not item.is_area():
            on_object()
        yield from _features(item, left_out)


def _features(item: Any, left_out: LeftOut) -> list[Feature]:
    """Return all features of one object, or none if one of them can't be drawn."""
    layer = "unknown"
    try:
        tags = dict(item.tags)
        found = _rules(item, tags)
        if not found:
            return []
        layer = found[0].layer
        return [Feature(rule, shape) for rule, shape in _shapes(item, found)]
    except Undrawable as error:
        left_out.add(layer, str(error))
    except UNREADABLE:
        left_out.add(layer, "unreadable")
    return []


def _rules(item: Any, tags: dict[str, str]) -> list[LayerRule]:
    if item.is_node():
        return layer_rules(tags, "point")
    if item.is_way():
        return [COAST] if tags.get("natural") == "coastline" else layer_rules(tags, "line")
    return layer_rules(tags, "area") if item.is_area() else []


def _shapes(item: Any, found: list[LayerRule]) -> Iterator[tuple[LayerRule, BaseGeometry]]:
    if item.is_node():
        if not item.location.valid():
            raise Undrawable("without a location")
        at = to_mercator(Point(item.lon, item.lat))
        yield from ((rule, at) for rule in found)
    elif item.is_way():
        pieces = [line for piece in _pieces(item) for line in lines(piece)]
        if not pieces:
            complete = all(node.location.valid() for node in item.nodes)
            raise Undrawable("fewer than two places" if complete else "outside the extract")
        yield from ((rule, line) for rule in found for line in pieces)
    else:
        yield from _areas(item, found)


def _areas(item: Any, found: list[LayerRule]) -> Iterator[tuple[LayerRule, BaseGeometry]]:
    """Yield a point inside the area for labels, and the area for all else."""
    outer = [
        (_ring(ring), [hole for inner in item.inner_rings(ring) if len(hole := _ring(inner)) > 3])
        for ring in item.outer_rings()
    ]
    shape = area((ring, holes) for ring, holes in outer if len(ring) > 3)
    for rule in found:
        labelled = rule.layer == "pois" or rule.kind == "address"
        yield rule, (shape.representative_point() if labelled else shape)


def _pieces(way: Any) -> list[list[Place]]:
    """Split the way where nodes are missing."""
    pieces: list[list[Place]] = [[]]
    for node in way.nodes:
        if node.location.valid():
            pieces[-1].append((node.lon, node.lat))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]


def _ring(ring: Any) -> list[Place]:
    return [(node.lon, node.lat) for node in ring if node.location.valid()]
