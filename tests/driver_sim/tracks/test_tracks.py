"""What can be used of a recorded track is used; what cannot is said with its place."""

import gzip
import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driver_sim.tracks import BadTrack, Options, Tracks, read_tracks
from driver_sim.tracks.values import parse_time
from tracker.domain.geo import distance

GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">
 <trk><name>Ride</name>
  <trkseg>
   <trkpt lat="60.17" lon="24.94"><ele>12.5</ele><time>2026-11-22T10:00:00Z</time></trkpt>
   <trkpt lat="60.171" lon="24.941"><time>2026-11-22T12:00:10+02:00</time>
    <extensions><g:TrackPointExtension xmlns:g="http://www.garmin.com/xmlschemas/TrackPointExtension/v2"
     ><g:speed>4.5</g:speed><g:course>31</g:course></g:TrackPointExtension></extensions></trkpt>
  </trkseg>
  <trkseg><trkpt lat="60.172" lon="24.942"><time>2026-11-22T10:00:20</time></trkpt></trkseg>
 </trk>
</gpx>"""
TIMES = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:10Z"]
LINE = {
    "type": "Feature",
    "properties": {"coordTimes": TIMES},
    "geometry": {"type": "LineString", "coordinates": [[24.94, 60.17, 5], [24.95, 60.18]]},
}
TRIP: dict[str, Any] = {
    "trip_id": "t1",
    "vehicle": "bicycle",
    "stops": [{"lat": 60.18, "lon": 24.95, "service_s": 30, "order": "a"}],
    "fixes": [{"recorded_at": at, "lat": 60.17, "lon": 24.94, "accuracy": 5} for at in TIMES],
    "arrived_at": [TIMES[1]],
}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_gpx(tmp_path: Path) -> None:
    """Segments are joined; extensions give speed and heading; a time without an offset is UTC."""
    (ride,) = read_tracks(written(tmp_path, "ride.gpx", GPX)).recordings
    assert [fix.recorded_at for fix in ride.fixes] == [
        datetime(2026, 11, 22, 10, 0, second, tzinfo=UTC) for second in (0, 10, 20)
    ]
    assert ride.fixes[0].altitude == 12.5
    assert (ride.fixes[1].speed, ride.fixes[1].heading) == (4.5, 31.0)
    assert (ride.fixes[2].lat, ride.fixes[2].lon) == (60.172, 24.942)


def test_geojson_line(tmp_path: Path) -> None:
    """A line's times stand in coordTimes; a third coordinate is the altitude."""
    (line,) = read_tracks(written(tmp_path, "a.geojson", json.dumps(LINE))).recordings
    assert [(fix.lat, fix.lon, fix.altitude) for fix in line.fixes] == [
        (60.17, 24.94, 5),
        (60.18, 24.95, None),
    ]


def test_geojson_lines_and_points(tmp_path: Path) -> None:
    """Several lines become one recording each feature, points one together, in the order of time."""
    many = {
        "type": "Feature",
        "properties": {"coordinateProperties": {"times": [TIMES, [TIMES[1]]]}},
        "geometry": {"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]], [[5, 6]]]},
    }
    points = [
        {"type": "Feature", "properties": {"time": at}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
        for at in (1763805610000, 1763805600)
    ]
    collection = {"type": "FeatureCollection", "features": [many, *points]}
    lines, together = read_tracks(written(tmp_path, "b.json", json.dumps(collection))).recordings
    assert len(lines.fixes) == 3
    assert together.duration == 10.0


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(tmp_path: Path, separator: str) -> None:
    """Columns go by their name, unknown ones are left alone, empty values are unknown."""
    rows = [
        "\ufeffLatitude,lng,Timestamp,speed,colour",
        "60.17,24.94,1763805600,4.5,red",
        "60.18,24.95,1763805601.5,,",
    ]
    content = "\r\n".join(rows).replace(",", separator)
    (track,) = read_tracks(written(tmp_path, "a.csv", content)).recordings
    assert [fix.speed for fix in track.fixes] == [4.5, None]
    assert track.duration == 1.5


def test_recorded_trips(tmp_path: Path) -> None:
    """Trips carry their vehicle and stops; empty lines are nothing; packed files are unpacked."""
    content = gzip.compress((json.dumps(TRIP) + "\n\n" + json.dumps({**TRIP, "trip_id": "t2"})).encode())
    one, two = read_tracks(written(tmp_path, "trips.jsonl.gz", content)).recordings
    assert (one.name, two.name, one.vehicle) == ("t1", "t2", "bicycle")
    assert one.stops[0].service_s == 30
    assert one.arrived_at == (datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC),)


CUT_OFF = gzip.compress(json.dumps(TRIP).encode() + b"\n", 0, mtime=0)[:-9]
BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaa">]><gpx>&a;</gpx>'


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.gpx", "<gpx><trk></gpx>", r"a\.gpx:1: not XML"),
        ("a.gpx", BOMB, r"a\.gpx:1: .*document type"),
        ("a.gpx", "<gpx/>", "no fix can be replayed"),
        (
            "a.gpx",
            '<gpx><trk><trkpt lat="60" lon="24"/></trk></gpx>',
            r"no times .*--assume-speed.*\(line 1\)",
        ),
        ("a.gpx", '<gpx><wpt lat="60" lon="24"/></gpx>', "skipped 1 waypoint"),
        ("a.geojson", '{\n"type":', r"a\.geojson:2: not JSON"),
        ("a.geojson", "[" * 100_000, "not JSON"),
        ("a.geojson", b"\xff\xfe\x00", "not"),
        ("a.geojson", "[1]", "not a GeoJSON"),
        ("a.geojson", json.dumps({**LINE, "properties": None}), "no times .*--assume-speed"),
        (
            "a.geojson",
            json.dumps({**LINE, "properties": {"coordTimes": TIMES[:1]}}),
            "2 coordinates, but 1 times",
        ),
        ("a.geojson", json.dumps({**LINE, "geometry": {"type": "Polygon"}}), "Polygon cannot be replayed"),
        ("a.geojson", json.dumps({**LINE, "geometry": {"type": "Point"}}), "no time"),
        (
            "a.csv",
            "lat,lon\n1,2",
            r"a\.csv:1: no columns for a time, lat and lon in the header \(lat, lon\).*--columns",
        ),
        ("a.csv", "time,lat,lon\n1763805600,nan,2", r"lat 'nan' is not a number \(line 2\)"),
        ("a.csv", "time,lat,lon\n1763805600,1", r"no lon \(line 2\)"),
        ("a.csv", "time,lat,lon\n1e400,1,2", r"'1e400' is not a time \(line 2\)"),
        ("a.csv", "", "no columns"),
        ("a.jsonl", json.dumps({**TRIP, "arrived_at": []}), "1 stops, but 0 arrived_at"),
        ("a.jsonl", json.dumps({**TRIP, "vehicle": "boat"}), r"boat.*\(line 1\)"),
        ("a.jsonl.gz", b"not gzip", "gz"),
        ("a.jsonl.gz", gzip.compress(b"x" * 1000, mtime=0)[:20], "gz"),
        ("a.kml", "<kml/>", "unknown file type"),
        ("a", "", "unknown file type"),
    ],
)
def test_a_file_without_a_usable_fix_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    """Each ends in a sentence with the place, never in a traceback."""
    with pytest.raises(BadTrack, match=rf"(?s){says}"):
        read_tracks(written(tmp_path, name, content))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A file that cannot be opened is a bad track like any other."""
    with pytest.raises(BadTrack, match="No such file"):
        read_tracks(tmp_path / "none.gpx")


def read(folder: Path, name: str, content: str | bytes, **options: Any) -> Tracks:
    return read_tracks(written(folder, name, content), Options(**options))


@pytest.mark.parametrize(
    ("name", "content", "fixes", "says"),
    [
        (
            "a.gpx", GPX.replace("10:00:00Z", "ten"), 2,
            r"skipped 1 point: '2026-11-22Tten' is not a time \(line 5\)",
        ),
        (
            "a.gpx", GPX.replace('lat="60.171"', 'lat="160.171"'), 2,
            r"lat 160.171 is out of range.* \(line 6\)",
        ),
        ("a.gpx", GPX.replace('lon="24.942"', ""), 2, r"skipped 1 point: no lon \(line 10\)"),
        ("a.gpx", GPX.replace("<time>2026-11-22T10:00:20</time>", ""), 2, r"no time \(line 10\)"),
        ("a.gpx", GPX.replace("2026-11-22T10:00:20", " "), 2, r"no time \(line 10\)"),
        ("a.gpx", GPX.replace('"60.172"', '"60,172"'), 3, r"decimal comma as a decimal point \(line 10\)"),
        ("a.gpx", GPX.replace("12.5", "high"), 3, r"left out altitude 'high' is not a number \(line 5\)"),
        ("a.gpx", GPX.replace("</gpx>", ""), 3, "left out the rest, because it is not XML"),
        ("a.gpx", GPX.replace(">Ride<", ">Bed & Breakfast<"), 3, r"replaced characters .* \(line 3\)"),
        (
            "a.gpx", GPX.replace("Ride", "Stra\xdfe").encode("latin-1"), 3,
            r"replaced characters .* \(line 3\)",
        ),
        ("a.gpx", GPX.replace("Ride", "Rid\x01e"), 3, r"replaced characters .* \(line 3\)"),
        (
            "a.gpx", GPX.replace("</gpx>", '<wpt lat="1" lon="2"/></gpx>'), 3,
            r"skipped 1 waypoint.*\(line 12\)",
        ),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n1763805601,x,2", 1, r"lat 'x' is not a number \(line 3\)"),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n1763805601,1,\"2", 1, r"a quote is not closed \(line 3\)"),
        (
            "a.csv", "time,lat,lon\n1763805600,1,2\n\n3/4/2025 10:00,1,2", 1,
            r"day/month or month/day.*\(line 4\)",
        ),
        (
            "a.csv", "time,lat,lon\n1763805600,1,2\n2025-04-03,1,2", 1,
            r"a date without a time of day \(line 3\)",
        ),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n10:00:05,1,2", 1, r"'10:00:05' is not a time \(line 3\)"),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n46000.375,1,2", 1, r"is in the year 1970; .* \(line 3\)"),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n#\xe9".encode("cp1252"), 1, r"Windows-1252.* \(line 3\)"),
        ("a.csv", "time,lat,lon,mood\n1763805600,1,2,good", 1, r"columns that are not fields of a fix: mood"),
        (
            "a.csv", "time,lat,lon,speed (furlong)\n1763805600,1,2,3", 1,
            r"unit is unknown; known units: m/s, .*km/h",
        ),
        ("a.jsonl", json.dumps(TRIP) + "\n{", 2, r"skipped 1 line: .* \(line 2\)"),
        (
            "a.jsonl", json.dumps({**TRIP, "fixes": [*TRIP["fixes"], {}]}), 2,
            r"skipped 1 fix: .*\(line 1, fix 3\)",
        ),
        ("a.jsonl.gz", CUT_OFF, 2, "compressed file is truncated"),
    ],
)  # fmt: skip
def test_one_fault_costs_only_itself(
    tmp_path: Path, name: str, content: str | bytes, fixes: int, says: str
) -> None:
    """What is left is read, and the report names the fault and its line."""
    tracks = read(tmp_path, name, content)
    assert sum(len(recording.fixes) for recording in tracks.recordings) == fixes
    (line,) = tracks.report
    assert line.startswith(str(tmp_path / name)) and re.search(says, line)


def feature(kind: str, coordinates: object, **properties: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


PLACES = [[24.94, 60.17], [24.95, 60.18]]


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        (feature("Polygon", [[[24, 60], [25, 60], [25, 61], [24, 60]]]), "skipped 1 feature: Polygon"),
        (feature("Point", [24.94, 60.17], name="start"), r"skipped 1 point: no time \(feature 2\)"),
        (feature("LineString", PLACES, coordTimes=[TIMES[0]]), "2 coordinates, but 1 times"),
        (feature("LineString", PLACES, coordTimes=[None, None]), "no times"),
        (
            feature("MultiLineString", [PLACES], coordTimes=[]),
            "1 lines, but a different number of lists of times",
        ),
        (feature("LineString", None, coordTimes=TIMES), "the coordinates are not a list"),
        ({"type": "Feature", "geometry": None}, "a feature without geometry cannot be replayed"),
        (17, "a feature without geometry cannot be replayed"),
    ],
)
def test_a_feature_that_cannot_be_driven_costs_only_itself(tmp_path: Path, beside: object, says: str) -> None:
    """Polygons, marks, and lines whose times do not fit stand beside a line that is read."""
    collection = {"type": "FeatureCollection", "features": [LINE, beside]}
    tracks = read(tmp_path, "a.geojson", json.dumps(collection))
    assert [len(recording.fixes) for recording in tracks.recordings] == [2]
    assert re.search(says, "\n".join(tracks.report))


def test_a_null_among_the_times_costs_its_point(tmp_path: Path) -> None:
    """The neighbours keep their own times."""
    line = feature("LineString", [*PLACES, [24.96, 60.19]], coordTimes=[TIMES[0], None, TIMES[1]])
    tracks = read(tmp_path, "a.geojson", json.dumps(line))
    assert [fix.lon for fix in tracks.recordings[0].fixes] == [24.94, 24.96]
    assert tracks.report == [f"{tmp_path}/a.geojson: skipped 1 point: no time (feature 1, point 2)"]


def test_other_places_for_times_in_geojson(tmp_path: Path) -> None:
    """`times`, a fourth number of each place, and the service's own `track.json`."""
    fourth = feature("LineString", [[24.94, 60.17, 3, 1763805600], [24.95, 60.18, 4, 1763805610]])
    for content in (
        feature("MultiPoint", PLACES, times=TIMES),
        fourth,
        {"items": TRIP["fixes"], "next": None},
    ):
        (recording,) = read(tmp_path, "a.json", json.dumps(content)).recordings
        assert recording.duration == 10.0


def test_an_undeclared_prefix_is_no_fault(tmp_path: Path) -> None:
    """Programs write extensions under prefixes that they never declare."""
    tracks = read(tmp_path, "a.gpx", re.sub(r' xmlns:g="[^"]*"', "", GPX))
    assert (len(tracks.recordings[0].fixes), tracks.report) == (3, [])
    assert tracks.recordings[0].fixes[1].speed == 4.5


def test_the_time_of_a_point_is_its_own(tmp_path: Path) -> None:
    """An extension's `time` does not replace it."""
    extended = GPX.replace("<g:speed>", "<g:time>2020-01-01T00:00:00Z</g:time><g:speed>")
    assert read(tmp_path, "a.gpx", extended).recordings[0].duration == 20.0


def test_many_faults_are_one_line(tmp_path: Path) -> None:
    """The first lines are named and the rest is counted."""
    rows = "".join(f"176380560{n},,24.9\n" for n in range(9))
    tracks = read(tmp_path, "a.csv", f"time,lat,lon\n1763805600,60,24\n{rows}")
    assert tracks.report[0].endswith("skipped 9 points: no lat (lines 3, 4, 5, 6, 7 and 4 more)")


# --- CSV as other programs write it


@pytest.mark.parametrize(
    ("header", "row", "field", "value"),
    [
        ("speed (km/h)", "36", "speed", 10.0),
        ("Speed [mph]", "10", "speed", 4.4704),
        ("speed_kmh", "36", "speed", 10.0),
        ("velocity (kn)", "3600", "speed", 1852.0),
        ("speed (m/s)", "3.5", "speed", 3.5),
        ("speed", "3.5", "speed", 3.5),
        ("altitude (ft)", "100", "altitude", 30.48),
        ("Elevation (m)", "-4", "altitude", -4.0),
        ("Accuracy(m)", "4", "accuracy", 4.0),
        ("bearing (°)", "270", "heading", 270.0),
        ("battery", "85", "battery", 0.85),
        ("battery (%)", "1", "battery", 0.01),
        ("battery", "0.85", "battery", 0.85),
        ("battery_level", "1", "battery", 1.0),
    ],
)
def test_units_are_read_from_the_header(
    tmp_path: Path, header: str, row: str, field: str, value: float
) -> None:
    """In parentheses, brackets or at the end of the name; without one the unit is a fix's own."""
    (track,) = read(tmp_path, "a.csv", f"time,lat,lon,{header}\n1763805600,60,24,{row}").recordings
    assert getattr(track.fixes[0], field) == pytest.approx(value)


@pytest.mark.parametrize(
    "rows",
    [
        "time;lat;lon;speed\n2026-11-20T09:00:00Z;60,17;24,94;1,5",
        'time,lat,lon,speed\n2026-11-20T09:00:00Z,"60,17","24,94","1,5"',
        "sep=;\ntime;lat;lon;speed\n2026-11-20 09:00;60.17;24.94;1.5",
        "My ride\n\nTime|Latitude (°)|Longitude (°)|Speed (m/s)\n2026-11-20 09:00:00 UTC|60.17|24.94|1.5",
        "date,time,lat,lon,speed\n2026-11-20,09:00:00,60.17,24.94,1.5",
        "DATE,TIME,LATITUDE,LONGITUDE,SPEED\n20261120,9:00:00,60.17N,24.94 E,1.5",
        "time,lat,lon,speed\n20.11.2026 9:00,60.17,N 24.94,1.5".replace("N 24", "E 24"),
        "time,lat,lon,speed\n2026/11/20 09:00:00,60.17°,24.94°,1.5",
        "time,lat,lon,speed\n20261120090000,60.17,24.94,1.5",
        "time,lat,lon,speed\n202611200900,60.17,24.94,1.5",
        "time,lat,lon,speed\n20261120T090000Z,60.17,24.94,1.5",
        "timestamp_ms,lat,lon,speed\n1795165200000,60.17,24.94,1.5",
        "time (s),lat,lon,speed\n1795165200,60.17,24.94,1.5",
        "time,lat,lon,speed\n1795165200000000,60.17,24.94,1.5",
        "time,lat,lon,speed\n1795165200000000000,60.17,24.94,1.5",
        'name,time,lat,lon,speed\n"a\nb",1795165200,60.17,24.94,1.5',
    ],
)
def test_csv_of_many_programs(tmp_path: Path, rows: str) -> None:
    """Separators, decimal commas, titles above the header, and times in the usual spellings."""
    (track,) = read(tmp_path, "a.csv", rows).recordings
    (fix,) = track.fixes
    assert (fix.recorded_at, fix.lat, fix.lon, fix.speed) == (
        datetime(2026, 11, 20, 9, tzinfo=UTC), 60.17, 24.94, 1.5,
    )  # fmt: skip


def test_utf_16_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """ "Unicode text" has a byte order mark and tabs."""
    content = "time\tlat\tlon\n1763805600\t1\t2".encode("utf-16")
    assert len(read(tmp_path, "a.txt", content).recordings[0].fixes) == 1


def test_columns_have_the_names_that_are_given(tmp_path: Path) -> None:
    """`--columns` names them, in any case; what it does not name keeps its usual name."""
    columns = {"recorded_at": "T", "lat": "y", "lon": "x"}
    (track,) = read(tmp_path, "a.csv", "t,X,Y,speed\n1763805600,24,60,3", columns=columns).recordings
    assert (track.fixes[0].lat, track.fixes[0].lon, track.fixes[0].speed) == (60.0, 24.0, 3.0)


def test_columns_by_number_where_there_is_no_header(tmp_path: Path) -> None:
    """The first line is data then."""
    columns = {"recorded_at": "1", "lat": "3", "lon": "2"}
    content = "1763805600;24,5;60,5\n1763805601;24,6;60,6"
    (track,) = read(tmp_path, "a.csv", content, columns=columns).recordings
    assert [(fix.lat, fix.lon) for fix in track.fixes] == [(60.5, 24.5), (60.6, 24.6)]


def test_a_named_column_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With the columns that there are."""
    with pytest.raises(BadTrack, match=r"\(t, X, Y\); --columns requires Z"):
        read(tmp_path, "a.csv", "t,X,Y\n1763805600,24,60", columns={"lat": "Z"})


@pytest.mark.parametrize(
    "value", [True, None, "", "soon", float("nan"), "2026-13-01T00:00:00Z", 20269920090000, "1e12", 10**30]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """With the value in the error."""
    with pytest.raises(ValueError, match=r"time|year"):
        parse_time(value)


# --- tracks without times


UNTIMED = re.sub(r"<time>.*?</time>", "", GPX)


def test_a_track_without_times_is_driven_at_a_given_speed(tmp_path: Path) -> None:
    """Each point comes when the way from the one before it is driven."""
    (ride,) = read(tmp_path, "a.gpx", UNTIMED, assume_speed=10.0).recordings
    first, second, third = ride.fixes
    way = distance(first.lonlat, second.lonlat) + distance(second.lonlat, third.lonlat)
    assert ride.duration == pytest.approx(way / 10.0, abs=0.01)
    assert ride.assumed_times


def test_a_track_with_times_keeps_them(tmp_path: Path) -> None:
    """The speed is for tracks that have none; one point without a time does not change that."""
    tracks = read(tmp_path, "a.gpx", GPX.replace("2026-11-22T10:00:20", ""), assume_speed=1.0)
    assert tracks.recordings[0].duration == 10.0
    assert not tracks.recordings[0].assumed_times


def test_a_route_and_a_bare_line_can_be_driven(tmp_path: Path) -> None:
    """Planners write `rte` and geometries without a feature."""
    route = re.sub("trkseg", "x", UNTIMED.replace("trkpt", "rtept").replace("trk>", "rte>"))
    line = {"type": "LineString", "coordinates": PLACES}
    assert len(read(tmp_path, "a.gpx", route, assume_speed=5.0).recordings[0].fixes) == 3
    assert len(read(tmp_path, "a.geojson", json.dumps(line), assume_speed=5.0).recordings[0].fixes) == 2
    assert len(read(tmp_path, "a.csv", "lat,lon\n60,24\n60,25", assume_speed=5.0).recordings[0].fixes) == 2


def test_equal_places_are_one(tmp_path: Path) -> None:
    """They would be at one time, and one fix is known by its time."""
    tracks = read(tmp_path, "a.csv", "lat,lon\n60,24\n60,24\n60,25", assume_speed=5.0)
    assert len(tracks.recordings[0].fixes) == 2
    assert "at the place of the previous point (line 3)" in tracks.report[0]


@given(content=st.binary(max_size=400), kind=st.sampled_from(["gpx", "geojson", "csv", "jsonl"]))
@settings(max_examples=300, deadline=None)
def test_nonsense_is_a_bad_track(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    """Whatever a file holds, reading it ends in fixes or in BadTrack."""
    path = tmp_path_factory.getbasetemp() / f"nonsense.{kind}"
    path.write_bytes(content)
    with suppress(BadTrack):
        assert all(recording.fixes for recording in read_tracks(path).recordings)


@given(damage=st.lists(st.tuples(st.integers(0, 2000), st.characters()), max_size=4), kind=st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_damaged_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, str]], kind: int
) -> None:
    """A few characters of a good file are replaced."""
    name, text = [
        ("d.gpx", GPX),
        ("d.geojson", json.dumps({"type": "FeatureCollection", "features": [LINE, LINE]})),
        ("d.csv", "date,time,lat,lon,speed (km/h)\n" + "2026-11-20,09:00:00,60.17,24.94,1.5\n" * 5),
        ("d.jsonl", json.dumps(TRIP)),
    ][kind]
    for place, character in damage:
        at = place % len(text)
        text = text[:at] + character + text[at + 1 :]
    path = tmp_path_factory.getbasetemp() / name
    path.write_text(text, "utf-8", errors="replace")
    with suppress(BadTrack):
        read_tracks(path)
