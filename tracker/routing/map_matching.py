"""Map matching: the streets that a line follows, whether it is a computed route or a driven path."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, distance, steps
from tracker.domain.leg import Edge, Leg
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.observed_streets import StreetPassage
from tracker.routing.backends import Backend
from tracker.routing.polyline import decode
from tracker.routing.requests import COSTINGS, as_text

# Drivers use bus lanes and forbidden turns. The costing of a taxi allows bus lanes.
AS_DRIVEN: Final[Mapping[Vehicle, str]] = {**COSTINGS, "car": "taxi"}
APART: Final = 10.0  # metres between two matched places of a path; closer ones are noise
RADIUS: Final = 20.0  # metres around each place in which the engine searches its street
GAP: Final = 300.0  # metres between two places; beyond this the engine would guess what lies between
WHOLE: Final = 0.001  # share of a street that may be missing if it still counts as driven completely

_EDGE_FIELDS: Final = (
    "shape",
    "edge.begin_shape_index",
    "edge.end_shape_index",
    "edge.id",
    "edge.way_id",
    "edge.road_class",
    "edge.traffic_signal",
    "node.elapsed_time",
    "node.traffic_signal",
)
# The engine returns the percentages only together with the length.
_PARTS: Final = ("edge.length", "edge.source_percent_along", "edge.target_percent_along")


class _EndNode(msgspec.Struct, frozen=True):
    elapsed_time: float = 0.0  # seconds since the beginning of the leg
    traffic_signal: bool = False


class _RawEdge(msgspec.Struct):
    begin_shape_index: int
    end_shape_index: int
    id: int = 0  # the id of the directed edge, in these tiles
    way_id: int = 0  # the id of its OpenStreetMap way
    road_class: str = "unclassified"
    traffic_signal: bool = False
    end_node: _EndNode = _EndNode()
    source_percent_along: float = 0.0  # where on the edge the path begins, 0..1
    target_percent_along: float = 1.0  # where it ends, 0..1


class _TraceAnswer(msgspec.Struct):
    shape: str
    edges: list[_RawEdge]


# Built at import: if two threads decode a type for the first time at once, msgspec 0.22 crashes.
_read_trace: Final = msgspec.json.Decoder(_TraceAnswer).decode


def add_streets(backend: Backend, shape: str, leg: Leg, vehicle: Vehicle) -> Leg:
    """Return the leg with its streets. The engine walks the leg's line once more, in about 1 ms.

    The walk may end up to 8 m before the leg's last place. So the result has the line of the walk, which the
    edges index. If the walk fails or takes another path, the whole leg is one edge.
    """
    request = {
        "encoded_polyline": shape,
        "costing": COSTINGS[vehicle],
        "shape_match": "walk_or_snap",
        "filters": {"action": "include", "attributes": _EDGE_FIELDS},
    }
    walk = _walk(backend, request, leg.line)
    if walk is None:
        whole = Edge(0, len(leg.line) - 1, leg.distance_m, leg.duration_s, "unclassified", False)
        return msgspec.structs.replace(leg, edges=(whole,))
    line, edges = walk
    return msgspec.structs.replace(leg, line=line, edges=edges)


def leg_along(backend: Backend, line: Sequence[LonLat], vehicle: Vehicle) -> Leg | None:
    """Return the leg along this line, with its streets, even where the map forbids driving.

    None if the line follows no streets.
    """
    request = _driven_path_request(line, vehicle, {}) | {
        "shape_match": "walk_or_snap",
        "filters": {"action": "include", "attributes": _EDGE_FIELDS},
    }
    walk = _walk(backend, request, line)
    if walk is None:
        return None
    path, edges = walk
    return Leg(path, sum(steps(path)), sum(edge.duration_s for edge in edges), edges)


def match_streets(backend: Backend, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
    """Return the streets of a driven path, or none if it matches none. Takes about 7 ms for 100 places."""
    streets: list[StreetPassage] = []
    for piece in _pieces(places):
        request = _driven_path_request(piece, vehicle, {"radius": RADIUS}) | {
            "shape_match": "map_snap",
            "filters": {"action": "include", "attributes": (*_EDGE_FIELDS, *_PARTS)},
        }
        if len(piece) >= 3 and (walk := _trace(backend, request)) is not None:
            streets += _streets(decode(walk.shape), walk.edges)
    return tuple(streets)


def _pieces(places: Sequence[LonLat]) -> Iterator[list[LonLat]]:
    """Split the path at gaps, and drop places that are noise."""
    piece: list[LonLat] = []
    for place in places:
        metres = distance(piece[-1], place) if piece else GAP
        if metres > GAP:
            yield piece
            piece = []
        if metres >= APART:
            piece.append(place)
    yield piece


def _trace(backend: Backend, request: Mapping[str, object]) -> _TraceAnswer | None:
    """Return the matched streets, or None if the engine finds none. Raises RouterUnavailable."""
    try:
        return _read_trace(backend.trace_attributes(as_text(request)))
    except (RuntimeError, msgspec.DecodeError):
        return None


def _driven_path_request(
    line: Sequence[LonLat], vehicle: Vehicle, each: Mapping[str, float]
) -> dict[str, object]:
    costing = AS_DRIVEN[vehicle]
    return {
        "shape": [{"lat": place.lat, "lon": place.lon, **each} for place in line],
        "costing": costing,
        "costing_options": {costing: {"ignore_restrictions": True}},
    }


def _walk(
    backend: Backend, request: Mapping[str, object], line: Sequence[LonLat]
) -> tuple[tuple[LonLat, ...], tuple[Edge, ...]] | None:
    """Return the line and the edges of a walk along *line*.

    None if there is no walk, or if its length differs by more than 1 % and 10 m.
    """
    walk = _trace(backend, request)
    path = () if walk is None else decode(walk.shape)
    if walk is None or len(path) < 2:
        return None
    metres = list(accumulate(steps(path), initial=0.0))
    expected = sum(steps(line))
    if abs(metres[-1] - expected) > max(10.0, 0.01 * expected):
        return None
    return path, tuple(_edges(metres, walk.edges))


def _edges(metres: list[float], raw: list[_RawEdge]) -> list[Edge]:
    """Return the edges. *metres* holds the distance along the line to each of its places.

    The line gives the lengths, because the engine rounds them to whole metres.
    """
    edges = []
    for each, seconds in zip(raw, _seconds(raw), strict=True):
        begin, end = each.begin_shape_index, each.end_shape_index
        signal = each.traffic_signal or each.end_node.traffic_signal
        length = metres[end] - metres[begin]
        edges.append(Edge(begin, end, length, seconds, each.road_class, signal, _key(each)))
    return edges


def _streets(line: tuple[LonLat, ...], raw: list[_RawEdge]) -> list[StreetPassage]:
    """Return the passages. One is joined if it begins where the one before ended."""
    streets, ended = [], -1
    for each, seconds in zip(raw, _seconds(raw), strict=True):
        begin, end = each.begin_shape_index, each.end_shape_index
        if end > begin and (key := _key(each)):
            whole = each.source_percent_along <= WHOLE and each.target_percent_along >= 1.0 - WHOLE
            piece = line[begin : end + 1] if whole else ()
            streets.append(StreetPassage(key, piece, seconds, whole=whole, joined=begin == ended))
            ended = end
        else:
            ended = -1
    return streets


def _seconds(raw: Sequence[_RawEdge]) -> Iterator[float]:
    """Return the seconds on each edge. The engine adds them up along the path, and restarts after a gap."""
    before, ended = 0.0, 0
    for each in raw:
        elapsed = each.end_node.elapsed_time
        if each.begin_shape_index != ended:
            before = 0.0
        yield elapsed - before if elapsed >= before else elapsed
        before, ended = elapsed or before, each.end_shape_index


def _key(edge: _RawEdge) -> str:
    """Return the street's key. New tiles renumber the edges; the way's id keeps most stale keys apart."""
    return f"{edge.way_id:x}.{edge.id:x}" if edge.id else ""
