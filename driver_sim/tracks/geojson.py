"""GeoJSON: lines with `properties.coordTimes`, or points with a time of their own.

A line is a recording; all points of a file together are one. Times of a line may also stand in
`properties.coordinateProperties.times`, where newer converters put them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from driver_sim.tracks.recording import BadTrack, Recording, by_time, make_fix
from tracker.domain.track import Fix

TIMES: Final = ("recorded_at", "time", "timestamp")
OPTIONAL: Final = ("accuracy", "speed", "heading", "altitude", "battery")


def read_geojson(file: str, content: bytes) -> list[Recording]:
    """Raises BadTrack with the line, or the feature and point."""
    try:
        root = json.loads(content)
    except json.JSONDecodeError as error:
        raise BadTrack(file, error.lineno, f"not JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise BadTrack(file, None, "not JSON in UTF-8") from error
    recordings: list[Recording] = []
    points: list[Fix] = []
    for number, feature in enumerate(_features(file, root), 1):
        where = f"feature {number}"
        if _kind(feature) == "Point":
            points.append(_point(file, where, feature))
        else:
            fixes = by_time(_line(file, where, feature))
            recordings.append(Recording(f"{file}#{number}", fixes))
    return [*recordings, Recording(f"{file}#points", by_time(points))]


def _features(file: str, root: Any) -> list[dict[str, Any]]:
    kind = root.get("type") if isinstance(root, dict) else None
    if kind == "Feature":
        return [root]
    features = root.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise BadTrack(file, None, "not a GeoJSON Feature or FeatureCollection (times stand in properties)")
    return features


def _kind(feature: dict[str, Any]) -> str | None:
    geometry = feature.get("geometry")
    return geometry.get("type") if isinstance(geometry, dict) else None


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _point(file: str, where: str, feature: dict[str, Any]) -> Fix:
    properties = _properties(feature)
    time = next((properties[name] for name in TIMES if name in properties), None)
    if time is None:
        raise BadTrack(file, where, f"a point needs a time: one of {', '.join(TIMES)} in its properties")
    optional = {name: properties.get(name) for name in OPTIONAL}
    return _fix(file, where, time, feature["geometry"].get("coordinates"), optional)


def _line(file: str, where: str, feature: dict[str, Any]) -> Iterator[Fix]:
    kind = _kind(feature)
    if kind not in {"LineString", "MultiLineString"}:
        raise BadTrack(file, where, f"{kind or 'no geometry'} cannot be driven; lines and points can")
    coordinates = _list(file, where, "coordinates", feature["geometry"].get("coordinates"))
    times = _list(file, where, "properties.coordTimes", _times(feature))
    lines = [(coordinates, times)] if kind == "LineString" else list(zip(coordinates, times, strict=False))
    if kind == "MultiLineString" and len(coordinates) != len(times):
        raise BadTrack(file, where, f"{len(coordinates)} lines, but coordTimes for {len(times)}")
    for places, moments in lines:
        yield from _places(
            file, where, _list(file, where, "a line", places), _list(file, where, "times", moments)
        )


def _times(feature: dict[str, Any]) -> Any:
    properties = _properties(feature)
    nested = properties.get("coordinateProperties")
    return properties.get("coordTimes") or (nested.get("times") if isinstance(nested, dict) else None)


def _places(file: str, where: str, places: Sequence[Any], times: Sequence[Any]) -> Iterator[Fix]:
    if len(places) != len(times):
        raise BadTrack(file, where, f"{len(places)} coordinates, but {len(times)} coordTimes")
    for number, (place, time) in enumerate(zip(places, times, strict=True), 1):
        yield _fix(file, f"{where}, point {number}", time, place, {})


def _fix(file: str, where: str, time: object, place: object, optional: dict[str, object]) -> Fix:
    if not isinstance(place, list) or len(place) < 2:
        raise BadTrack(file, where, "a place is [lon, lat]")
    altitude = {"altitude": place[2]} if len(place) > 2 else {}
    try:
        return make_fix(time, place[1], place[0], {**optional, **altitude})
    except ValueError as error:
        raise BadTrack(file, where, str(error)) from None


def _list(file: str, where: str, what: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise BadTrack(file, where, f"{what}: a list is needed")
    return value
