"""GeoJSON reader: lines with `properties.coordTimes`, or points with a time.

Each line is a recording, and all points of a file form one. A line's times may also be in
`properties.coordinateProperties.times`, as newer converters write them, or the fourth number of each
position. The reader also accepts JSON with a list of fixes, such as the service's `track.json`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from driver_sim.tracks.reading import NO_TIME, OPTIONAL, Options, Point, Report, recording
from driver_sim.tracks.recording import BadTrack, Recording

TIMES: Final = ("recorded_at", "time", "timestamp", "datetime")
LINES: Final = {"LineString", "MultiPoint"}
GEOMETRIES: Final = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
                     "GeometryCollection"}  # fmt: skip


def read_geojson(file: str, content: bytes, options: Options, report: Report) -> list[Recording]:
    """Read the recordings of a file. Raises BadTrack if it is not GeoJSON."""
    try:
        root = json.loads(content)
    except json.JSONDecodeError as error:
        raise BadTrack(file, error.lineno, f"not JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadTrack(file, None, "not JSON in UTF-8") from error
    if isinstance(root, dict) and isinstance(root.get("items"), list):
        drives = {file: list(_read_fixes(root["items"], report))}
    else:
        drives = _group_points(file, _features(file, root), report)
    recordings = (recording(name, points, options, report) for name, points in drives.items())
    return [one for one in recordings if one is not None]


def _read_fixes(items: list[Any], report: Report) -> Iterator[Point]:
    for number, item in enumerate(items, 1):
        if isinstance(item, dict):
            optional = {name: item.get(name) for name in OPTIONAL}
            yield Point(f"item {number}", item.get("recorded_at"), item.get("lat"), item.get("lon"), optional)
        else:
            report.skip("item", "not a fix", f"item {number}")


def _group_points(file: str, features: list[Any], report: Report) -> dict[str, list[Point]]:
    """Return the points of each line, and the single points, by name of the recording."""
    drives: dict[str, list[Point]] = {}
    single_points: list[Point] = []
    for number, feature in enumerate(features, 1):
        where, kind = f"feature {number}", _kind(feature)
        if kind == "Point":
            single_points.append(_point(where, feature))
        elif kind in {*LINES, "MultiLineString"}:
            drives[f"{file}#{number}"] = list(_line(where, kind, feature, report))
        else:
            report.skip(
                "feature",
                f"{kind or 'a feature without geometry'} cannot be replayed; use lines or points",
                where,
            )
    if drives:  # beside lines, a point without a time is a marker
        for point in single_points:
            if point.time is None:
                report.skip("point", NO_TIME, point.place)
        single_points = [point for point in single_points if point.time is not None]
    return {**drives, f"{file}#points": single_points}


def _features(file: str, root: Any) -> list[Any]:
    kind = root.get("type") if isinstance(root, dict) else None
    if kind == "Feature":
        return [root]
    if kind in GEOMETRIES:
        return [{"type": "Feature", "geometry": root}]
    features = root.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list):
        raise BadTrack(
            file, None, "not a GeoJSON Feature or FeatureCollection (times belong in the properties)"
        )
    return features


def _kind(feature: Any) -> str | None:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    return kind if isinstance(kind, str) else None


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _point(where: str, feature: dict[str, Any]) -> Point:
    properties = _properties(feature)
    time = next((properties[name] for name in TIMES if properties.get(name) is not None), None)
    optional = {name: properties.get(name) for name in OPTIONAL}
    return _make_point(where, time, feature["geometry"].get("coordinates"), optional)


def _line(where: str, kind: str, feature: dict[str, Any], report: Report) -> Iterator[Point]:
    coordinates, times = feature["geometry"].get("coordinates"), _times(feature)
    if not isinstance(coordinates, list):
        report.skip("feature", "the coordinates are not a list", where)
        return
    lines = [(coordinates, times)]
    if kind == "MultiLineString":
        if times is not None and (not isinstance(times, list) or len(times) != len(coordinates)):
            report.skip(
                "feature", f"{len(coordinates)} lines, but a different number of lists of times", where
            )
            return
        lines = list(zip(coordinates, times or [None] * len(coordinates), strict=True))
    for number, (places, moments) in enumerate(lines, 1):
        inner = where if kind != "MultiLineString" else f"{where}, line {number}"
        yield from _places(inner, places, moments, report)


def _times(feature: dict[str, Any]) -> Any:
    properties = _properties(feature)
    nested = properties.get("coordinateProperties")
    found = [properties.get(name) for name in ("coordTimes", "times", "timestamps")]
    found.append(nested.get("times") if isinstance(nested, dict) else None)
    return next((times for times in found if times is not None), None)


def _places(where: str, places: Any, times: Any, report: Report) -> Iterator[Point]:
    if not isinstance(places, list) or not isinstance(times, list | None):
        report.skip("line", "coordinates and times must be lists", where)
        return
    if times is None:  # Kepler.gl writes [lon, lat, altitude, time]
        with_time = bool(places) and all(isinstance(place, list) and len(place) >= 4 for place in places)
        times = [place[3] if with_time else None for place in places]
    if len(places) != len(times):
        report.skip("line", f"{len(places)} coordinates, but {len(times)} times", where)
        return
    for number, (place, time) in enumerate(zip(places, times, strict=True), 1):
        yield _make_point(f"{where}, point {number}", time, place, {})


def _make_point(where: str, time: object, place: object, optional: dict[str, object]) -> Point:
    if not isinstance(place, list) or len(place) < 2:
        return Point(where, time, None, None, optional)
    altitude = {"altitude": place[2]} if len(place) > 2 else {}
    return Point(where, time, place[1], place[0], {**optional, **altitude})
