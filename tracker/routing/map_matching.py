"""Tracing: which streets of the engine's map a line follows, be it a way foreseen or one that was driven."""

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

# Drivers go where the map forbids it to private cars: bus lanes, barred turns. A taxi may use the former.
AS_DRIVEN: Final[Mapping[Vehicle, str]] = {**COSTINGS, "car": "taxi"}
APART: Final = 10.0  # metres between two places of a way that are matched; nearer ones are noise
RADIUS: Final = 20.0  # metres around each of them in which its street is looked for
GAP: Final = 300.0  # metres between two places; what the engine would put between is its own guess
WHOLE: Final = 0.001  # of a street that may be missing from a whole one

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
# The engine tells how much of a street was driven only where it is asked for its length too.
_PARTS: Final = ("edge.length", "edge.source_percent_along", "edge.target_percent_along")


class _EndNode(msgspec.Struct, frozen=True):
    elapsed_time: float = 0.0  # seconds since the beginning of the leg
    traffic_signal: bool = False


class _RawEdge(msgspec.Struct):
    begin_shape_index: int
    end_shape_index: int
    id: int = 0  # of the directed edge, in these tiles
    way_id: int = 0  # OpenStreetMap's
    road_class: str = "unclassified"
    traffic_signal: bool = False
    end_node: _EndNode = _EndNode()
    source_percent_along: float = 0.0  # where on the edge it begins, 0..1
    target_percent_along: float = 1.0


class _TraceAnswer(msgspec.Struct):
    shape: str
    edges: list[_RawEdge]


# Made at import: two threads that are the first to decode into a type crash the process (msgspec 0.22).
_read_trace: Final = msgspec.json.Decoder(_TraceAnswer).decode


def with_streets(actor: Backend, shape: str, plain: Leg, vehicle: Vehicle) -> Leg:
    """The leg with its streets, by walking its line once more (about 1 ms).

    The engine's walk may end up to 8 m before the leg's last place, so the line becomes the walk's, which
    the edges index. A walk that took another way, or none, leaves the whole leg as one edge.
    """
    wanted = {
        "encoded_polyline": shape,
        "costing": COSTINGS[vehicle],
        "shape_match": "walk_or_snap",
        "filters": {"action": "include", "attributes": _EDGE_FIELDS},
    }
    walked = _walked(actor, wanted, plain.line)
    if walked is None:
        whole = Edge(0, len(plain.line) - 1, plain.distance_m, plain.duration_s, "unclassified", False)
        return msgspec.structs.replace(plain, edges=(whole,))
    line, edges = walked
    return msgspec.structs.replace(plain, line=line, edges=edges)


def along(actor: Backend, line: Sequence[LonLat], vehicle: Vehicle) -> Leg | None:
    """The leg along this line, with its streets, though the map may forbid it; None where it has no such."""
    wanted = _of_driven(line, vehicle, {}) | {
        "shape_match": "walk_or_snap",
        "filters": {"action": "include", "attributes": _EDGE_FIELDS},
    }
    walked = _walked(actor, wanted, line)
    if walked is None:
        return None
    return Leg(walked[0], sum(steps(walked[0])), sum(edge.duration_s for edge in walked[1]), walked[1])


def matched(actor: Backend, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
    """The streets of a way that was driven; none where it cannot be told (about 7 ms for 100 places)."""
    streets: list[StreetPassage] = []
    for piece in _pieces(places):
        wanted = _of_driven(piece, vehicle, {"radius": RADIUS}) | {
            "shape_match": "map_snap",
            "filters": {"action": "include", "attributes": (*_EDGE_FIELDS, *_PARTS)},
        }
        if len(piece) >= 3 and (walk := _trace(actor, wanted)) is not None:
            streets += _streets(decode(walk.shape), walk.edges)
    return tuple(streets)


def _pieces(places: Sequence[LonLat]) -> Iterator[list[LonLat]]:
    """The way in pieces without a gap, and without noise."""
    piece: list[LonLat] = []
    for place in places:
        metres = distance(piece[-1], place) if piece else GAP
        if metres > GAP:
            yield piece
            piece = []
        if metres >= APART:
            piece.append(place)
    yield piece


def _trace(actor: Backend, wanted: Mapping[str, object]) -> _TraceAnswer | None:
    """None where the engine finds none, or what answers is no engine. Raises RouterUnavailable."""
    try:
        return _read_trace(actor.trace_attributes(as_text(wanted)))
    except (RuntimeError, msgspec.DecodeError):
        return None


def _of_driven(line: Sequence[LonLat], vehicle: Vehicle, each: Mapping[str, float]) -> dict[str, object]:
    costing = AS_DRIVEN[vehicle]
    return {
        "shape": [{"lat": place.lat, "lon": place.lon, **each} for place in line],
        "costing": costing,
        "costing_options": {costing: {"ignore_restrictions": True}},
    }


def _walked(
    actor: Backend, wanted: Mapping[str, object], line: Sequence[LonLat]
) -> tuple[tuple[LonLat, ...], tuple[Edge, ...]] | None:
    """The line and the edges of a walk along it; None where there is none, or it took another way."""
    walk = _trace(actor, wanted)
    walked = () if walk is None else decode(walk.shape)
    if walk is None or len(walked) < 2:
        return None
    metres = list(accumulate(steps(walked), initial=0.0))
    wished = sum(steps(line))
    if abs(metres[-1] - wished) > max(10.0, 0.01 * wished):
        return None
    return walked, tuple(_edges(metres, walk.edges))


def _edges(metres: list[float], raw: list[_RawEdge]) -> list[Edge]:
    """The engine gives lengths in whole metres, so they are the line's: `metres` to each of its places."""
    edges = []
    for each, seconds in zip(raw, _seconds(raw), strict=True):
        begin, end = each.begin_shape_index, each.end_shape_index
        signal = each.traffic_signal or each.end_node.traffic_signal
        length = metres[end] - metres[begin]
        edges.append(Edge(begin, end, length, seconds, each.road_class, signal, _key(each)))
    return edges


def _streets(line: tuple[LonLat, ...], raw: list[_RawEdge]) -> list[StreetPassage]:
    """Joined are those of which the one begins where the other ended."""
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
    """The engine's, of each edge. It counts on from edge to edge, and anew where the way has a gap."""
    before, ended = 0.0, 0
    for each in raw:
        elapsed = each.end_node.elapsed_time
        if each.begin_shape_index != ended:
            before = 0.0
        yield elapsed - before if elapsed >= before else elapsed
        before, ended = elapsed or before, each.end_shape_index


def _key(edge: _RawEdge) -> str:
    """Other tiles number their edges anew; the way's own number tells most of those apart."""
    return f"{edge.way_id:x}.{edge.id:x}" if edge.id else ""
