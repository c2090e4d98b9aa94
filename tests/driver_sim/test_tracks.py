"""Tracks are read whole, and what is wrong with a file is said with its place."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from driver_sim.tracks import BadTrack, read_tracks

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
TRIP = {
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
    (ride,) = read_tracks(written(tmp_path, "ride.gpx", GPX))
    assert [fix.recorded_at for fix in ride.fixes] == [
        datetime(2026, 11, 22, 10, 0, second, tzinfo=UTC) for second in (0, 10, 20)
    ]
    assert ride.fixes[0].altitude == 12.5
    assert (ride.fixes[1].speed, ride.fixes[1].heading) == (4.5, 31.0)
    assert (ride.fixes[2].lat, ride.fixes[2].lon) == (60.172, 24.942)


def test_geojson_line(tmp_path: Path) -> None:
    """A line's times stand in coordTimes; a third coordinate is the altitude."""
    (line,) = read_tracks(written(tmp_path, "a.geojson", json.dumps(LINE)))
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
    lines, together = read_tracks(written(tmp_path, "b.json", json.dumps(collection)))
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
    (track,) = read_tracks(written(tmp_path, "a.csv", content))
    assert [fix.speed for fix in track.fixes] == [4.5, None]
    assert track.duration == 1.5


def test_recorded_trips(tmp_path: Path) -> None:
    """Trips carry their vehicle and stops; empty lines are nothing; packed files are unpacked."""
    content = gzip.compress((json.dumps(TRIP) + "\n\n" + json.dumps({**TRIP, "trip_id": "t2"})).encode())
    one, two = read_tracks(written(tmp_path, "trips.jsonl.gz", content))
    assert (one.name, two.name, one.vehicle) == ("t1", "t2", "bicycle")
    assert one.stops[0].service_s == 30
    assert one.arrived_at == (datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC),)


BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaa">]><gpx>&a;</gpx>'


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.gpx", "<gpx><trk></gpx>", r"a\.gpx:1: not XML"),
        ("a.gpx", GPX.replace("10:00:00Z", "ten"), r"a\.gpx:5: '2026-11-22Tten' is not a time"),
        (
            "a.gpx",
            GPX.replace('lat="60.171"', 'lat="160.171"'),
            r"a\.gpx:6: lat 160.171 is not between -90 and 90",
        ),
        ("a.gpx", GPX.replace('lon="24.942"', ""), r"a\.gpx:10: lon None is not a number"),
        ("a.gpx", GPX.replace("<time>2026-11-22T10:00:20</time>", ""), r"a\.gpx:10: .*without a time"),
        ("a.gpx", BOMB, r"a\.gpx:1: .*document type"),
        ("a.gpx", "<gpx/>", "holds no fixes"),
        ("a.geojson", '{\n"type":', r"a\.geojson:2: not JSON"),
        ("a.geojson", "[" * 100_000, "not JSON"),
        ("a.geojson", b"\xff\xfe\x00", "not"),
        ("a.geojson", "[1]", "not a GeoJSON"),
        (
            "a.geojson",
            json.dumps({**LINE, "properties": None}),
            "feature 1: properties.coordTimes: a list is needed",
        ),
        (
            "a.geojson",
            json.dumps({**LINE, "properties": {"coordTimes": TIMES[:1]}}),
            "2 coordinates, but 1 coordTimes",
        ),
        (
            "a.geojson",
            json.dumps({**LINE, "properties": {"coordTimes": [1, True]}}),
            "point 2: True is not a time",
        ),
        ("a.geojson", json.dumps({**LINE, "geometry": {"type": "Polygon"}}), "Polygon cannot be driven"),
        ("a.geojson", json.dumps({**LINE, "geometry": {"type": "Point"}}), "needs a time"),
        ("a.csv", "lat,lon\n1,2", r"a\.csv:1: the header has no column for recorded_at"),
        ("a.csv", "time,lat,lon\n1763805600,1,2\n1763805601,x,2", r"a\.csv:3: lat 'x' is not a number"),
        ("a.csv", "time,lat,lon\n1763805600,nan,2", r"a\.csv:2: lat 'nan' is not a number"),
        ("a.csv", "time,lat,lon\n1763805600,1", r"a\.csv:2: no value for lon"),
        ("a.csv", "time,lat,lon\n1e400,1,2", r"a\.csv:2: '1e400' is not a time"),
        ("a.csv", b"time,lat,lon\n\xff,1,2", r"a\.csv:2: not UTF-8"),
        ("a.csv", "", "no column"),
        ("a.jsonl", json.dumps(TRIP) + "\n{", r"a\.jsonl:2: "),
        ("a.jsonl", json.dumps({**TRIP, "arrived_at": []}), "1 stops, but 0 arrived_at"),
        ("a.jsonl", json.dumps({**TRIP, "vehicle": "boat"}), r"a\.jsonl:1: .*boat"),
        (
            "a.jsonl",
            json.dumps({**TRIP, "fixes": [{"recorded_at": "2026-11-22T10:00:00", "lat": 1, "lon": 2}]}),
            ":1: ",
        ),
        ("a.jsonl.gz", b"not gzip", "gz"),
        ("a.jsonl.gz", gzip.compress(b"x" * 1000, mtime=0)[:20], "gz"),
        ("a.kml", "<kml/>", "not a known kind"),
        ("a", "", "not a known kind"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    """Every kind of bad file ends in one sentence, never in a traceback or half a track."""
    with pytest.raises(BadTrack, match=says):
        read_tracks(written(tmp_path, name, content))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A file that cannot be opened is a bad track like any other."""
    with pytest.raises(BadTrack, match="No such file"):
        read_tracks(tmp_path / "none.gpx")
