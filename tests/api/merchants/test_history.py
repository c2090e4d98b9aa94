"""`/v1/orders/…/history` and `…/track`: every form, every limit, and what is known of one moment."""

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from xml.etree import ElementTree

import httpx
import msgspec
import pytest
import pytest_asyncio
from shapely import LineString, Point

from tests.api.merchant import (
    all_pages,
    backdate,
    fixes_from,
    parse,
    problem,
    rfc3339,
    send_fixes,
    wrong_fields,
)
from tests.service import Service
from tracker.domain.geo import LonLat, Plane

GPX = "{http://www.topografix.com/GPX/1/1}"
COUNT = 1_200  # fixes: more than one chunk
EXTENSIONS = ("geojson", "gpx", "csv", "ndjson", "json")


class Trip(msgspec.Struct):
    """An order that was delivered, and what its driver's phone recorded on the way."""

    service: Service
    order: Any
    fixes: list[dict[str, Any]]

    @property
    def path(self) -> str:
        return f"/v1/orders/{self.order['id']}"

    async def track(self, extension: str = "", **query: Any) -> httpx.Response:
        params = {name.rstrip("_"): value for name, value in query.items()}
        answer = await self.service.http.get(f"{self.path}/track{extension}", params=params)
        assert answer.status_code == 200, answer.text
        return answer

    async def lines(self, **query: object) -> list[Any]:
        """The track as ndjson."""
        text = (await self.track(".ndjson", **query)).text
        return [msgspec.json.decode(line) for line in text.splitlines()]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trip(service: Service, service_database: str) -> Trip:
    """Up and down a street, ended by a doubtful fix; one before and one after it are not the order's."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], reference="T & <1>")
    order = await backdate(service_database, order, timedelta(minutes=2))
    begin = parse(order["timestamps"]["assigned"]) + timedelta(milliseconds=20)
    places = [(60.17 + 0.000003 * abs(i % 300 - 150), 24.94 + 0.000003 * i) for i in range(COUNT)]
    fixes = [
        {"recorded_at": rfc3339(begin + timedelta(milliseconds=20 * i)), "lat": lat, "lon": lon, "speed": 3.2}
        for i, (lat, lon) in enumerate(places)
    ]
    doubted = {**fixes[-1], "recorded_at": rfc3339(begin + timedelta(seconds=25)), "accuracy": 900}
    before = {**fixes[0], "recorded_at": rfc3339(begin - timedelta(minutes=10))}
    for at in range(0, COUNT, 400):
        await send_fixes(service, driver["token"], *fixes[at : at + 400])
    await send_fixes(service, driver["token"], before, doubted)
    ended = rfc3339(begin + timedelta(seconds=30))
    fetched = {"status": "picked_up", "at": rfc3339(begin)}
    await service.post(f"/v1/orders/{order['id']}/status", fetched)
    over = await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered", "at": ended})
    await send_fixes(
        service, driver["token"], {**fixes[-1], "recorded_at": rfc3339(parse(ended) + timedelta(seconds=1))}
    )
    return Trip(service, over, fixes)


def line_of(trip: Trip) -> list[tuple[float, float]]:
    return [(fix["lon"], fix["lat"]) for fix in trip.fixes]


async def test_the_history_tells_what_happened(trip: Trip) -> None:
    """The order, its timeline in sequence, the track in numbers, and where the track is to be had."""
    history = await trip.service.get(f"{trip.path}/history")
    assert history["order"] == trip.order
    assert [entry["kind"] for entry in history["timeline"]] == [
        *("created", "assigned", "picked_up", "delivered")
    ]
    assert history["timeline"][1]["driver_id"] == trip.order["driver_id"]
    summary = history["summary"]
    assert (summary["fixes"], summary["rejected"]) == (COUNT, 1)
    assert (summary["first_fix_at"], summary["last_fix_at"]) == (
        trip.fixes[0]["recorded_at"],
        trip.fixes[-1]["recorded_at"],
    )
    assert summary["duration_s"] == pytest.approx(0.02 * (COUNT - 1), abs=0.002)
    assert summary["distance_m"] == pytest.approx(447, rel=0.05)  # sharp corners, accuracies unknown
    assert set(summary) == {
        *("distance_m", "duration_s", "moving_s", "fixes", "rejected", "first_fix_at", "last_fix_at")
    }
    for url in history["links"].values():
        assert (await trip.service.http.get(url)).status_code == 200


async def test_geojson_is_one_line_with_its_times(trip: Trip) -> None:
    """The default; one time for each place, whole and in sequence."""
    answer = await trip.track()
    assert answer.headers["content-type"] == "application/geo+json"
    feature = answer.json()
    assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "LineString")
    assert [tuple(place) for place in feature["geometry"]["coordinates"]] == [
        (round(lon, 7), round(lat, 7)) for lon, lat in line_of(trip)
    ]
    assert feature["properties"]["coordTimes"] == [fix["recorded_at"] for fix in trip.fixes]
    assert "rejected" not in feature["properties"]


async def test_gpx_is_a_track_of_points_with_times(trip: Trip) -> None:
    """GPX 1.1, with the merchant's own number as its name; doubted fixes in a track of their own."""
    answer = await trip.track(".gpx", include="rejected")
    assert answer.headers["content-type"] == "application/gpx+xml"
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, root.get("version")) == (f"{GPX}gpx", "1.1")
    track, rejected = root.findall(f"{GPX}trk")
    assert track.findtext(f"{GPX}name") == "T & <1>"
    points = track.findall(f"{GPX}trkseg/{GPX}trkpt")
    assert len(points) == COUNT
    assert float(points[0].get("lat", "")) == trip.fixes[0]["lat"]
    assert points[-1].findtext(f"{GPX}time") == trip.fixes[-1]["recorded_at"]
    assert rejected.findtext(f".//{GPX}cmt")


async def test_csv_has_the_columns_of_the_interface(trip: Trip) -> None:
    """In their sequence, unknown readings empty; a column more where reasons are asked for."""
    text = (await trip.track(".csv")).text
    assert text.splitlines()[0] == "recorded_at,lat,lon,accuracy,speed,heading,altitude,battery,received_at"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == COUNT
    assert (rows[0]["recorded_at"], rows[0]["speed"], rows[0]["heading"]) == (
        *(trip.fixes[0]["recorded_at"], "3.2"),
        "",
    )
    doubted = list(csv.DictReader(io.StringIO((await trip.track(".csv", include="rejected")).text)))
    assert [row["reason"] for row in doubted].count("") == COUNT
    assert len(doubted) == COUNT + 1


async def test_ndjson_is_one_fix_a_line(trip: Trip) -> None:
    """With every reading, when it came, and, if asked for, why it is doubted."""
    lines = await trip.lines()
    assert len(lines) == COUNT
    assert {name: lines[0][name] for name in trip.fixes[0]} == trip.fixes[0]
    assert "received_at" in lines[0]
    assert "reason" not in lines[0]
    doubted = await trip.lines(include="rejected")
    assert len(doubted) == COUNT + 1
    assert [line["reason"] for line in doubted if line["reason"] is not None] != []


async def test_json_comes_in_pages(trip: Trip) -> None:
    """Each fix once, by cursors."""
    items = await all_pages(trip.service, f"{trip.path}/track.json", limit=500)
    assert [item["recorded_at"] for item in items] == [fix["recorded_at"] for fix in trip.fixes]
    first = (await trip.track(".json")).json()
    assert len(first["items"]) == 50
    assert first["next"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/geo+json"),
        ("text/html,*/*;q=0.8", "application/geo+json"),
        ("application/gpx+xml", "application/gpx+xml"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/json"),
        ("application/json;q=0.1, text/csv", "text/csv; charset=utf-8"),
    ],
)
async def test_the_form_is_chosen_by_accept(trip: Trip, accept: str, content_type: str) -> None:
    """Where no extension says it; caches are told."""
    answer = await trip.service.http.get(f"{trip.path}/track", headers={"Accept": accept})
    assert answer.headers["content-type"] == content_type
    assert "Accept" in answer.headers["vary"]


async def test_a_window_cuts_the_track(trip: Trip) -> None:
    """Both ends included, in any offset."""
    first, last = trip.fixes[100]["recorded_at"], trip.fixes[199]["recorded_at"]
    cut = await trip.lines(from_=first, to=parse(last).astimezone(UTC).isoformat())
    assert [line["recorded_at"] for line in cut] == [fix["recorded_at"] for fix in trip.fixes[100:200]]


@pytest.mark.parametrize("extension", [".geojson", ".json"])
async def test_a_simple_track_stays_near_the_true_one(trip: Trip, extension: str) -> None:
    """Fewer places, none of the true line further away than asked for, also across chunks and pages."""
    if extension == ".json":
        items = await all_pages(trip.service, f"{trip.path}/track.json", simplify=2, limit=10)
        simple = [(item["lon"], item["lat"]) for item in items]
    else:
        simple = (await trip.track(extension, simplify=2)).json()["geometry"]["coordinates"]
    assert 2 <= len(simple) < COUNT / 10
    plane = Plane(LonLat(*line_of(trip)[0]))
    line = LineString([plane.to_metres(LonLat(*place)) for place in simple])
    furthest = max(line.distance(Point(plane.to_metres(LonLat(*place)))) for place in line_of(trip))
    assert furthest <= 2


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_an_unchanged_track_is_not_sent_again(trip: Trip, extension: str) -> None:
    """Each form has its own ETag; it changes with what is asked for."""
    answer = await trip.track(f".{extension}")
    etag = answer.headers["etag"]
    again = await trip.service.http.get(
        f"{trip.path}/track.{extension}", headers={"If-None-Match": f'"other", {etag}'}
    )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await trip.track(f".{extension}", simplify=5)).headers["etag"] != etag


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_a_track_is_packed_when_asked_for(trip: Trip, extension: str) -> None:
    """gzip holds the same bytes, and plain is plain."""
    path = f"{trip.path}/track.{extension}"
    async with trip.service.http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        data = b"".join([piece async for piece in packed.aiter_raw()])
    plain = await trip.service.http.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(data) == plain.content
    assert len(data) < len(plain.content) / 2


async def test_a_late_fix_changes_the_etag(service: Service, service_database: str) -> None:
    """Also one that lies in the past, and also after the order's end."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    order = await backdate(service_database, order, timedelta(minutes=2))
    path = f"/v1/orders/{order['id']}/track"
    begin = parse(order["timestamps"]["assigned"])
    newest, late = fixes_from(begin + timedelta(seconds=1), [(60.17, 24.94), (60.1701, 24.94)])[::-1]
    await send_fixes(service, driver["token"], newest)
    first = (await service.http.get(path)).headers["etag"]
    ended = rfc3339(begin + timedelta(seconds=10))
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "failed", "at": ended})
    second = (await service.http.get(path)).headers["etag"]
    await send_fixes(service, driver["token"], late)
    third = await service.http.get(path)
    assert len({first, second, third.headers["etag"]}) == 3
    assert len(third.json()["geometry"]["coordinates"]) == 2


async def test_where_the_order_was_at_one_moment(trip: Trip) -> None:
    """The last believed fix, and the status that it had then."""
    wanted = trip.fixes[500]
    between = parse(wanted["recorded_at"]) + timedelta(milliseconds=5)
    answer = (await trip.track(at=rfc3339(between))).json()
    assert answer["at"] == rfc3339(between)
    assert answer["status"] in {"assigned", "picked_up"}
    assert set(answer["position"]) == {"lat", "lon", "heading", "speed", "accuracy", "recorded_at"}
    assert {name: answer["position"][name] for name in wanted} == wanted
    ended = (await trip.track(at=rfc3339(datetime.now(UTC) + timedelta(seconds=45)))).json()
    assert ended["status"] == "delivered"
    assert ended["position"]["recorded_at"] == trip.fixes[-1]["recorded_at"]


async def test_nothing_is_known_before_and_far_ahead(trip: Trip) -> None:
    """Before the first fix and in the future there is no position: 404."""
    early = parse(trip.order["created_at"]) - timedelta(minutes=1)
    for at in (early, datetime.now(UTC) + timedelta(hours=1)):
        answer = await trip.service.http.get(f"{trip.path}/track", params={"at": rfc3339(at)})
        problem(answer, 404, "not-found")


async def test_an_order_that_nobody_carried_has_an_empty_track(service: Service) -> None:
    """Every form is well-formed with nothing in it."""
    path = f"/v1/orders/{(await service.new_order())['id']}/track"
    assert (await service.http.get(path)).json()["geometry"]["coordinates"] == []
    assert (await service.http.get(f"{path}.ndjson")).content == b""
    assert len((await service.http.get(f"{path}.csv")).text.splitlines()) == 1
    assert (await service.http.get(f"{path}.json")).json() == {"items": [], "next": None}
    assert ElementTree.fromstring((await service.http.get(f"{path}.gpx")).content).tag == f"{GPX}gpx"


async def test_a_single_fix_is_still_a_line(service: Service) -> None:
    """RFC 7946 wants two places of a LineString: the one is written twice."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    begin = parse(order["timestamps"]["assigned"])
    await send_fixes(service, driver["token"], *fixes_from(begin, [(60.17, 24.94)]))
    feature = (await service.http.get(f"/v1/orders/{order['id']}/track.geojson")).json()
    assert feature["geometry"]["coordinates"] == [[24.94, 60.17]] * 2
    assert feature["properties"]["coordTimes"] == [rfc3339(begin)] * 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("simplify=-1", "simplify"),
        ("simplify=lots", "simplify"),
        ("include=everything", "include"),
        ("from=now", "from"),
        ("at=2026-11-22T16:43:00", "at"),
        ("speed=1", "speed"),
    ],
)
async def test_a_wrong_question_is_named(trip: Trip, query: str, field: str) -> None:
    """By the name in the query string."""
    assert wrong_fields(await trip.service.http.get(f"{trip.path}/track?{query}")) == [field]


async def test_a_form_that_there_is_not_is_missing(trip: Trip) -> None:
    """An unknown extension is an unknown address."""
    problem(await trip.service.http.get(f"{trip.path}/track.kml"), 404, "not-found")


async def test_a_parked_driver_adds_no_distance(service: Service) -> None:
    """120 fixes within 9 m of the door: no metres, no seconds in motion."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    begin, random = parse(order["timestamps"]["assigned"]), Random(8)
    plane = Plane(LonLat(24.9440, 60.1713))
    fixes = []
    for n in range(120):
        lon, lat = plane.to_lonlat(random.uniform(-9.0, 9.0), random.uniform(-9.0, 9.0))
        at = rfc3339(begin + timedelta(milliseconds=200 * n + 1))
        fixes.append({"recorded_at": at, "lat": lat, "lon": lon, "accuracy": 12.0, "speed": 0.0})
    await send_fixes(service, driver["token"], *fixes)
    summary = (await service.get(f"/v1/orders/{order['id']}/history"))["summary"]
    assert (summary["fixes"], summary["distance_m"], summary["moving_s"]) == (120, 0.0, 0.0)
