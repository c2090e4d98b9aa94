"""Extract: reads an OpenStreetMap file into features of the map, in Web Mercator metres, one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import osmium
import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.layers import LayerRule, looks
from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import Place, area, lines, to_mercator

COAST: Final = LayerRule("coastline", "coastline", 0, {})  # water lies to the right; not a layer of the map
UNREADABLE: Final = (RuntimeError, ValueError, shapely.errors.ShapelyError)  # what one bad object may raise
IN_MEMORY: Final = 256 * 2**20  # bytes; of a bigger extract the nodes' places are kept in a file


class Feature(msgspec.Struct, frozen=True):
    """One thing on the map; the geometry is in Web Mercator metres, y northwards."""

    look: LayerRule
    geometry: BaseGeometry


def read_features(
    extract: Path, left_out: LeftOut, on_object: Callable[[], None], nodes_file: Path
) -> Iterator[Feature]:
    """Everything to draw, and the coast. Objects cut off at the edge are kept as far as they have nodes.

    `on_object` is called for each object with tags.
    """
    large = extract.stat().st_size > IN_MEMORY
    storage = f"sparse_file_array,{nodes_file}" if large else "flex_mem"
    reader = osmium.FileProcessor(str(extract)).with_locations(storage).with_areas()
    things: Iterator[Any] = iter(reader.with_filter(osmium.filter.EmptyTagFilter()))
    for thing in things:
        if not thing.is_area():
            on_object()
        yield from _features(thing, left_out)


def _features(thing: Any, left_out: LeftOut) -> list[Feature]:
    """All or nothing of one object."""
    layer = "unknown"
    try:
        tags = dict(thing.tags)
        found = _looks(thing, tags)
        if not found:
            return []
        layer = found[0].layer
        return [Feature(look, shape) for look, shape in _drawn(thing, found)]
    except Undrawable as error:
        left_out.add(layer, str(error))
    except UNREADABLE:
        left_out.add(layer, "unreadable")
    return []


def _looks(thing: Any, tags: dict[str, str]) -> list[LayerRule]:
    if thing.is_node():
        return looks(tags, "point")
    if thing.is_way():
        return [COAST] if tags.get("natural") == "coastline" else looks(tags, "line")
    return looks(tags, "area") if thing.is_area() else []


def _drawn(thing: Any, found: list[LayerRule]) -> Iterator[tuple[LayerRule, BaseGeometry]]:
    if thing.is_node():
        if not thing.location.valid():
            raise Undrawable("without a place")
        at = to_mercator(Point(thing.lon, thing.lat))
        yield from ((look, at) for look in found)
    elif thing.is_way():
        pieces = [line for piece in _pieces(thing) for line in lines(piece)]
        if not pieces:
            whole = all(node.location.valid() for node in thing.nodes)
            raise Undrawable("fewer than two places" if whole else "outside the extract")
        yield from ((look, line) for look in found for line in pieces)
    else:
        yield from _areas(thing, found)


def _areas(thing: Any, found: list[LayerRule]) -> Iterator[tuple[LayerRule, BaseGeometry]]:
    """Names and numbers stand at a point inside, everything else covers the ground."""
    outer = [
        (_ring(ring), [hole for inner in thing.inner_rings(ring) if len(hole := _ring(inner)) > 3])
        for ring in thing.outer_rings()
    ]
    shape = area((ring, holes) for ring, holes in outer if len(ring) > 3)
    for look in found:
        labelled = look.layer == "pois" or look.kind == "address"
        yield look, (shape.representative_point() if labelled else shape)


def _pieces(way: Any) -> list[list[Place]]:
    """The way, in pieces where nodes are missing."""
    pieces: list[list[Place]] = [[]]
    for node in way.nodes:
        if node.location.valid():
            pieces[-1].append((node.lon, node.lat))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]


def _ring(ring: Any) -> list[Place]:
    return [(node.lon, node.lat) for node in ring if node.location.valid()]
