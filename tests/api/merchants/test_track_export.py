"""The forms of a track: pieces, the antimeridian, and what other programs must be able to read."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from tests.api.merchant import parse, send_fixes
from tests.service import Service
from tracker.api.answers.track_export import (
    CsvWriter,
    GeoJsonWriter,
    GpxWriter,
    Writer,
    number_segments,
    simplify_chunks,
)
from tracker.database.fixes import StoredFix
from tracker.domain.order import Order, Place
from tracker.domain.tracks.fix import Fix
from tracker.messages import rfc3339

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GPX = "{http://www.topografix.com/GPX/1/1}"
ONE = [(0, 24.94, 1), (60, 24.941, 1), (120, 24.942, 1)]  # seconds, longitude, driver
GAP = [(0, 24.94, 1), (60, 24.941, 1), (200, 24.942, 1)]
HANDED_OVER = [(0, 24.94, 1), (60, 24.941, 1), (61, 25.0, 2), (62, 25.001, 2)]
OVER_180 = [(0, 179.9, 1), (20, -179.9, 1), (40, -179.8, 1), (60, 179.8, 1)]

type Step = tuple[float, float, int]


def order(reference: str | None = None) -> Order:
    place = Place(60.17, 24.94)
    return Order(id="ord_1", reference=reference, created_at=NOW, pickup=place, dropoff=place)


def stored(steps: Sequence[Step], **more: Any) -> list[StoredFix]:
    """The latitude goes up by a hundredth each second."""
    return [
        StoredFix(Fix(NOW + timedelta(seconds=s), 60.0 + s / 100.0, lon), NOW, driver=driver, **more)
        for s, lon, driver in steps
    ]


async def written(
    writer: Writer, steps: Sequence[Step], *, chunk: int = 500, simplify: float = 0.0, broken: bool = False
) -> bytes:
    async def chunks() -> AsyncIterator[list[StoredFix]]:
        fixes = stored(steps)
        for begin in range(0, len(fixes), chunk):
            yield fixes[begin : begin + chunk]

    track = number_segments(chunks())
    pieces = [writer.begin()]
    if isinstance(writer, GeoJsonWriter):
        pieces.append(writer.begin_lines(broken=broken))
    pieces += [writer.write(each) async for each in (simplify_chunks(track, simplify) if simplify else track)]
    return b"".join([*pieces, writer.end()])


async def geojson(steps: Sequence[Step], **more: Any) -> Any:
    feature = msgspec.json.decode(await written(GeoJsonWriter(order(), False), steps, **more))
    return feature["geometry"], feature["properties"]["coordTimes"]


def seconds(times: Sequence[str]) -> list[float]:
    return [(parse(time) - NOW).total_seconds() for time in times]


async def test_a_track_in_one_piece_is_one_line() -> None:
    """Flat coordinates and times; a gap of 120 s is none."""
    geometry, times = await geojson(ONE)
    assert geometry["type"] == "LineString"
    assert [lon for lon, _ in geometry["coordinates"]] == [24.94, 24.941, 24.942]
    assert seconds(times) == [0, 60, 120]


@pytest.mark.parametrize("chunk", [1, 2, 3, 500])
@pytest.mark.parametrize(("steps", "lengths"), [(GAP, [2, 2]), (HANDED_OVER, [2, 2])])
async def test_a_broken_track_has_a_line_for_each_piece(
    steps: Sequence[Step], lengths: list[int], chunk: int
) -> None:
    """Nested times, one for each place; a piece of one fix has it twice. Chunks change nothing."""
    geometry, times = await geojson(steps, broken=True, chunk=chunk)
    assert geometry["type"] == "MultiLineString"
    assert [len(line) for line in geometry["coordinates"]] == lengths == [len(line) for line in times]
    assert [line[0][0] for line in geometry["coordinates"]] == [steps[0][1], steps[2][1]]


@pytest.mark.parametrize("chunk", [1, 500])
async def test_lines_are_cut_at_the_antimeridian(chunk: int) -> None:
    """Both halves end at 180 degrees, with the latitude and the time between; there and back."""
    geometry, times = await geojson(OVER_180, broken=True, chunk=chunk)
    first, second, third = geometry["coordinates"]
    assert first == [[179.9, 60.0], [180.0, 60.1]]
    assert second == [[-180.0, 60.1], [-179.9, 60.2], [-179.8, 60.4], [-180.0, 60.5]]
    assert third == [[180.0, 60.5], [179.8, 60.6]]
    assert list(map(seconds, times)) == [[0, 10], [10, 20, 40, 50], [50, 60]]


async def test_a_fix_on_the_antimeridian_is_no_place_twice() -> None:
    """The line ends or begins with it."""
    geometry, _ = await geojson([(0, 179.9, 1), (10, 180.0, 1), (20, -179.9, 1)], broken=True)
    assert geometry["coordinates"] == [
        [[179.9, 60.0], [180.0, 60.1]],
        [[-180.0, 60.1], [-179.9, 60.2]],
    ]


async def test_a_gap_over_the_antimeridian_is_only_a_gap() -> None:
    """No line leads there, so none is cut."""
    geometry, _ = await geojson([(0, 179.9, 1), (200, -179.9, 1)], broken=True)
    assert geometry["coordinates"] == [[[179.9, 60.0]] * 2, [[-179.9, 62.0]] * 2]


async def test_pieces_are_those_of_the_whole_track_however_simple() -> None:
    """Ten minutes straight on make two places and one line; a piece keeps its ends."""
    straight = [(float(s), 24.94, 1) for s in range(0, 601, 30)]
    geometry, times = await geojson(straight, simplify=5.0, chunk=7)
    assert geometry["type"] == "LineString"
    assert seconds(times)[0] == 0 and seconds(times)[-1] == 600
    assert len(times) <= 5  # the ends of the chunks
    later = [(s + 800.0, lon, driver) for s, lon, driver in straight]
    geometry, times = await geojson([*straight, *later], simplify=5.0, broken=True)
    assert [seconds(line) for line in times] == [[0, 600], [800, 1_400]]


@pytest.mark.parametrize(
    ("steps", "lengths"), [(ONE, [3]), (GAP, [2, 1]), (HANDED_OVER, [2, 2]), (OVER_180, [2, 4, 2])]
)
async def test_gpx_has_a_segment_for_each_piece(steps: Sequence[Step], lengths: list[int]) -> None:
    """No longitude of 180, which the schema of GPX does not have."""
    root = ElementTree.fromstring(await written(GpxWriter(order(), False), steps, chunk=2))
    found = root.findall(f"{GPX}trk/{GPX}trkseg")
    assert [len(segment.findall(f"{GPX}trkpt")) for segment in found] == lengths
    for segment in found:
        lons = [float(point.get("lon", "")) for point in segment]
        assert all(-180.0 <= lon < 180.0 for lon in lons)
        assert max(lons) - min(lons) < 1.0


async def test_gpx_holds_only_characters_of_xml() -> None:
    """Whatever the merchant's number is made of."""
    reference = "A\x01\x0b\x1f\ufffe\uffff<&>\"' \u0085🚲\t7"
    content = await written(GpxWriter(order(reference), False), ONE)
    name = ElementTree.fromstring(content).findtext(f"{GPX}trk/{GPX}name")
    assert name == "A<&>\"' \u0085🚲\t7"


async def test_csv_leaves_numbers_as_they_are() -> None:
    """South and west are negative, and no text."""
    writer = CsvWriter(order("=1+1"), True)
    fixes = [StoredFix(Fix(NOW, -33.9, -70.6, heading=0.0, altitude=-3.5), NOW, "teleport")]
    text = (writer.begin() + writer.write(fixes) + writer.end()).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["lat"], row["lon"], row["altitude"], row["reason"]) == ("-33.9", "-70.6", "-3.5", "teleport")
    assert "'" not in text


async def test_a_reassigned_order_has_two_pieces(service: Service) -> None:
    """Two drivers five kilometres apart: no line and no distance leads from one to the other."""
    first, second = await service.new_driver(), await service.new_driver()
    order = await service.new_order(first["id"])
    begin = parse(order["timestamps"]["assigned"])
    places = {first["token"]: (60.1713, 24.9440), second["token"]: (60.2160, 24.9440)}

    async def report(token: str, *offsets: float) -> None:
        lat, lon = places[token]
        fixes = [
            {"recorded_at": rfc3339(begin + timedelta(seconds=s)), "lat": lat + s * 1e-4, "lon": lon}
            for s in offsets
        ]
        await send_fixes(service, token, *fixes)

    await report(first["token"], 0.001, 0.002)
    moved = await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": second["id"]})
    begin = parse(moved["timestamps"]["assigned"])
    await report(second["token"], 0.001, 0.002)
    path = f"/v1/orders/{order['id']}"
    feature = await service.get(f"{path}/track.geojson")
    assert feature["geometry"]["type"] == "MultiLineString"
    assert [len(line) for line in feature["geometry"]["coordinates"]] == [2, 2]
    assert [len(line) for line in feature["properties"]["coordTimes"]] == [2, 2]
    gpx = ElementTree.fromstring((await service.http.get(f"{path}/track.gpx")).content)
    assert len(gpx.findall(f"{GPX}trk/{GPX}trkseg")) == 2
    assert (await service.get(f"{path}/history"))["summary"]["distance_m"] < 1.0
    assert len((await service.get(f"{path}/track.json"))["items"]) == 4
