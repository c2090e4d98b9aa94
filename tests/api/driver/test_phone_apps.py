"""Existing phone apps against the running service: the requests they send, and the answers they need."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.service import ADMIN_KEY, Service, hear, metric
from tests.waiting import until
from tracker.database import Database
from tracker.database.credentials.api_keys import ApiKey, insert_api_key
from tracker.tokens import hash_token, new_api_key, new_id

NOBODY = {"Authorization": ""}  # in place of the client's API key
STORED = 'tracker_fixes_total{result="stored"}'
LAT, LON = 60.17, 24.94


def seconds(ago: float = 0.0) -> int:
    return int((datetime.now(UTC) - timedelta(seconds=ago)).timestamp())


def location(ago: float = 0.0, **more: object) -> dict[str, Any]:
    """A position as OwnTracks for Android sends it."""
    return {
        "_type": "location", "_id": "05b6f5bf", "acc": 13, "alt": 23, "batt": 62, "bs": 1, "cog": 56,
        "conn": "w", "created_at": seconds(), "lat": LAT, "lon": LON, "m": 2, "tid": "le",
        "topic": "owntracks/jane/phone", "tst": seconds(ago), "vac": 15, "vel": 18, **more,
    }  # fmt: skip


def feature(ago: float = 0.0, lat: float = LAT, **more: object) -> dict[str, Any]:
    """A position as Overland sends it."""
    at = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    properties = {
        "timestamp": at, "altitude": 12, "speed": 4, "course": 90, "horizontal_accuracy": 5,
        "vertical_accuracy": -1, "speed_accuracy": 0.5, "course_accuracy": -1, "motion": ["driving"],
        "battery_state": "charging", "battery_level": 0.8, "wifi": "", "device_id": "van7", **more,
    }  # fmt: skip
    geometry = {"type": "Point", "coordinates": [LON, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def last_fix(service: Service, driver: Any) -> Any:
    return (await service.get(f"/v1/drivers/{driver['id']}"))["last_fix"]


async def counted(service: Service, format_: str, kind: str) -> float:
    return await metric(service, f'tracker_phone_messages_total{{format="{format_}",kind="{kind}"}}')


async def track_of(service: Service, order: Any) -> Any:
    return (await service.get(f"/v1/orders/{order['id']}/track.json?limit=500"))["items"]


async def test_owntracks_gets_a_list_and_shows_the_driver(service: Service) -> None:
    """The position is stored before the answer, a JSON array, arrives."""
    driver = await service.new_driver()
    answer = await service.http.post(
        "/ingest/owntracks", json=location(), headers=basic("jane", driver["token"]) | {"X-Limit-U": "jane"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert isinstance(answer.json(), list)
    fix = await last_fix(service, driver)
    assert (fix["lat"], fix["lon"], fix["speed"], fix["heading"]) == (LAT, LON, 5.0, 56)
    assert (fix["accuracy"], fix["battery"]) == (13, 0.62)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b'{"_type":"lwt","tst":1700000000}', "other"),
        (b'{"_type":"encrypted","data":"AAAA"}', "encrypted"),
        (b'{"_type":"location","t":"p","lat":60.1,"lon":24.9,"tst":1700000000}', "heartbeat"),
        (b"not JSON", "unreadable"),
        (b'{"_type":"card","face":"' + b"A" * 1_100_000 + b'"}', "too_large"),
    ],
)
async def test_a_message_without_a_position_never_blocks_the_queue(
    service: Service, body: bytes, kind: str
) -> None:
    """200 and a list, and it is counted; OwnTracks would repeat anything else 100,000 times."""
    driver = await service.new_driver()
    before = await counted(service, "owntracks", kind)
    answer = await service.http.post("/ingest/owntracks", content=body, headers=basic("j", driver["token"]))
    assert (answer.status_code, isinstance(answer.json(), list)) == (200, True)
    assert await counted(service, "owntracks", kind) == before + 1
    assert await last_fix(service, driver) is None


async def test_an_app_is_told_its_interval_when_it_changes(service: Service) -> None:
    """As the WebSocket's policy: OwnTracks gets a command and Overland a setting, once and not each time."""
    driver = await service.new_driver()
    headers = basic("jane", driver["token"])
    told = [
        (await service.http.post("/ingest/owntracks", json=location(ago), headers=headers)).json()
        for ago in (3, 2)
    ]
    assert [one["action"] for one in told[0]] == ["setConfiguration"]
    assert told[0][0]["configuration"]["locatorInterval"] > 0
    assert told[1] == []
    first, second = [
        (await service.http.post("/ingest/overland", json={"locations": []}, headers=headers)).json()
        for _ in range(2)
    ]
    assert first["set"]["send_interval"] in {"5s", "15s"}
    assert second == {"result": "ok"}


@pytest.mark.parametrize(
    "place", ["bearer", "basic", "overland", "token", "api_key", "path", "id", "form", "json"]
)
async def test_the_token_is_taken_where_an_app_can_put_it(service: Service, place: str) -> None:
    """Header, path, query string, or the id of the device; each with the same effect."""
    driver = await service.new_driver()
    token = driver["token"]
    fields = {"lat": str(LAT), "lon": str(LON), "timestamp": str(seconds()), "speed": "10"}
    client = {"location": {"coords": {"latitude": LAT, "longitude": LON}}, "device_id": token}
    ask = service.http
    match place:
        case "bearer":
            answer = await ask.get("/ingest/osmand", params=fields, headers=bearer(token))
        case "basic":
            answer = await ask.get("/ingest/osmand", params=fields, headers=basic(driver["id"], token))
        case "overland":  # its OwnTracks mode sends the token as it is, with a colon
            raw = {"Authorization": f"Basic {token}:"}
            answer = await ask.get("/ingest/osmand", params=fields, headers=raw)
        case "path":
            answer = await ask.get(f"/ingest/osmand/{token}", params=fields, headers=NOBODY)
        case "form":
            answer = await ask.post("/ingest/osmand", data=fields | {"id": token}, headers=NOBODY)
        case "json":
            answer = await ask.post("/ingest/osmand", json=client, headers=NOBODY)
        case name:
            answer = await ask.post("/ingest/osmand", params=fields | {name: token}, headers=NOBODY)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await last_fix(service, driver))["lat"] == LAT


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ingest/owntracks"),
        ("GET", "/ingest/osmand?id=van7&lat=60.1&lon=24.9"),
        ("GET", "/ingest/osmand/tdt_wrong?lat=60.1&lon=24.9"),
        ("POST", "/ingest/osmand"),
        ("POST", "/ingest/overland?token=tdt_wrong"),
        ("POST", "/api/v1/overland/batches"),
        ("POST", "/ingest/traccar?api_key=tak_wrong"),
    ],
)
async def test_only_a_wrong_token_is_refused(service: Service, method: str, path: str) -> None:
    """401, and an API key is no driver's token."""
    answer = await service.http.request(method, path, headers=NOBODY)
    assert answer.status_code == 401
    if "traccar" not in path and "tdt_wrong" not in path:
        assert (await service.http.request(method, path, headers=bearer(ADMIN_KEY))).status_code == 401


async def test_a_key_that_may_only_read_forwards_nothing(service: Service, service_database: str) -> None:
    """403 for a Traccar server whose key has the scope `read`; a driver's token is no API key: 401."""
    driver = await service.post(
        "/v1/drivers", {"name": "Aino", "vehicle": "car", "reference": "350000000000077"}
    )
    key = new_api_key()
    async with Database.open(service_database) as database:
        reader = ApiKey(new_id("key"), "read")
        await insert_api_key(database, reader, "reader", hash_token(key), datetime.now(UTC))
    forwarding = forwarded("350000000000077")
    for headers, query in ((bearer(key), {}), (NOBODY, {"api_key": key})):
        answer = await service.http.post("/ingest/traccar", params=query, json=forwarding, headers=headers)
        assert answer.status_code == 403
    answer = await service.http.post("/ingest/traccar", params={"api_key": driver["token"]}, headers=NOBODY)
    assert answer.status_code == 401
    assert await last_fix(service, driver) is None


async def test_a_browser_that_looks_at_the_url_moves_nobody(service: Service) -> None:
    """HEAD, prefetching and link previews are answered and stored as nothing."""
    driver = await service.new_driver()
    url = f"/ingest/osmand/{driver['token']}?lat={LAT}&lon={LON}"
    assert (await service.http.head(url, headers=NOBODY)).status_code == 200
    for headers in ({"Sec-Purpose": "prefetch;prerender"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"}):
        assert (await service.http.get(url, headers=NOBODY | headers)).status_code == 200
    assert await last_fix(service, driver) is None


async def test_overland_gets_its_queue_emptied(service: Service) -> None:
    """Positions are stored; visits, trips and log entries among them are not, and fail nobody."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    others = [
        {"type": "Feature", "geometry": feature()["geometry"], "properties": {"action": "visit"}},
        {"type": "Feature", "properties": {"type": "trip", "mode": "car"}},
        None,
        17,
    ]
    body = {"locations": [feature(3), *others, feature(-1, lat=60.1701)], "trip": {"mode": "car"}}
    answer = await service.http.post("/ingest/overland", json=body, headers=bearer(driver["token"]))
    assert (answer.status_code, answer.json()["result"]) == (200, "ok")
    assert len(await track_of(service, order)) == 1  # the other was before the order
    assert (await last_fix(service, driver))["lat"] == 60.1701


async def test_the_current_position_is_shown_before_the_backlog_is_stored(service: Service) -> None:
    """A customer sees where the driver is now, and never a position of the backlog behind it."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always", "route": "always"})
    backlog = [feature(1300 - n, lat=60.15 + n * 1e-5) for n in range(1200)]
    body = {"locations": backlog, "current": feature(0, lat=60.17)}
    async with service.watch(order) as customer:
        await hear(customer, "snapshot")
        answer = await service.http.post("/ingest/overland", json=body, headers=bearer(driver["token"]))
        assert answer.json()["result"] == "ok"
        while (position := (await hear(customer, "update")).get("position")) is None:
            pass
        assert position["lat"] == 60.17
    assert (await last_fix(service, driver))["lat"] == 60.17


async def test_a_day_sent_again_adds_nothing(service: Service) -> None:
    """In Overland's batches of 1,000, then in one body: each answer is ok, and no row is new."""
    driver = await service.new_driver()
    features = [msgspec.json.encode(feature(60 + 4 * n, lat=60.15 + n * 1e-6)) for n in range(9_000)][::-1]

    async def send(at_once: int) -> float:
        before = await metric(service, STORED)
        for first in range(0, len(features), at_once):
            body = b'{"locations":[' + b",".join(features[first : first + at_once]) + b"]}"
            answer = await service.http.post(
                "/ingest/overland", content=body, headers=bearer(driver["token"]), timeout=60
            )
            assert (answer.status_code, answer.json()["result"]) == (200, "ok")
        return await metric(service, STORED) - before

    assert await send(1_000) == 9_000
    assert await send(9_000) == 0


async def test_ten_requests_at_once_arrive_in_any_order(service: Service) -> None:
    """Colota sends ten points at the same time; all are stored, and the newest is shown."""
    driver = await service.new_driver()
    points = [
        {"lat": LAT + n * 1e-5, "lon": LON, "acc": 5, "vel": 1.0, "batt": 80, "tst": seconds(40 - n)}
        for n in range(30)
    ]
    before = await metric(service, STORED)
    gate = asyncio.Semaphore(10)

    async def post(point: dict[str, Any]) -> httpx.Response:
        async with gate:
            return await service.http.post("/ingest/osmand", json=point, headers=bearer(driver["token"]))

    answers = await asyncio.gather(*(post(point) for point in points[::3] + points[1::3] + points[2::3]))
    assert {answer.status_code for answer in answers} == {200}
    assert await metric(service, STORED) == before + 30
    assert (await last_fix(service, driver))["lat"] == pytest.approx(points[-1]["lat"])


async def test_one_position_by_every_format_is_stored_once(service: Service) -> None:
    """Two requests of each at the same time; an app that gets no 2xx would send it for ever."""
    driver, at = await service.new_driver(), int(datetime.now(UTC).timestamp())
    await service.http.patch(f"/v1/drivers/{driver['id']}", json={"reference": driver["id"]})
    time = datetime.fromtimestamp(at, UTC).isoformat()
    fix = {"recorded_at": time, "lat": LAT, "lon": LON}
    location = {"timestamp": time, "coords": {"latitude": LAT, "longitude": LON}}
    point = {"type": "Point", "coordinates": [LON, LAT]}
    sent: list[tuple[str, Any]] = [
        ("/v1/drivers/fixes", [fix]),
        ("/ingest/owntracks", {"_type": "location", "lat": LAT, "lon": LON, "tst": at}),
        (f"/ingest/osmand?lat={LAT}&lon={LON}&timestamp={at}", None),
        ("/ingest/osmand", {"location": location}),
        ("/ingest/overland", {"locations": [{"geometry": point, "properties": {"timestamp": time}}]}),
    ]
    before = await metric(service, STORED)
    answers = await asyncio.gather(
        *(service.http.post(path, json=body, headers=bearer(driver["token"])) for path, body in sent * 2),
        *(service.http.post("/ingest/traccar", json=forwarded(driver["id"], fixTime=time)) for _ in range(2)),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await metric(service, STORED) == before + 1


async def test_single_messages_sent_again_add_nothing(service: Service) -> None:
    """Those of a day that is stored, ten at a time and mixed with fixes that never arrived."""
    driver = await service.new_driver()
    begin = seconds(2_000)
    lost = {begin + 4 * n for n in range(3, 60, 17)}
    day = [begin + 4 * n for n in range(300)]

    def query(at: int) -> dict[str, str]:
        return {"lat": f"{LAT + (at - begin) * 1e-6}", "lon": str(LON), "timestamp": str(at), "id": token}

    token = driver["token"]
    features = [
        feature(lat=LAT + (at - begin) * 1e-6, timestamp=datetime.fromtimestamp(at, UTC).isoformat())
        for at in day
        if at not in lost
    ]
    await service.http.post("/ingest/overland", json={"locations": features}, headers=bearer(token))
    before, gate = await metric(service, STORED), asyncio.Semaphore(10)

    async def get(at: int) -> int:
        async with gate:
            return (await service.http.get("/ingest/osmand", params=query(at), headers=NOBODY)).status_code

    assert set(await asyncio.gather(*map(get, day[:60]))) == {200}
    assert await metric(service, STORED) - before == len(lost)
    assert set(await asyncio.gather(*map(get, day[:60]))) == {200}
    assert await metric(service, STORED) - before == len(lost)


def forwarded(reference: str, **more: object) -> dict[str, Any]:
    """What a Traccar server forwards for one position."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    position = {
        "id": 7, "attributes": {"batteryLevel": 85, "motion": True}, "deviceId": 3, "protocol": "teltonika",
        "serverTime": at, "deviceTime": at, "fixTime": at, "outdated": False, "valid": True, "latitude": LAT,
        "longitude": LON, "altitude": 23.0, "speed": 10.0, "course": 180.0, "address": None, "accuracy": 0.0,
        **more,
    }  # fmt: skip
    return {
        "position": position,
        "device": {"id": 3, "name": "Van", "uniqueId": reference, "status": "online"},
    }


async def test_a_traccar_server_forwards_its_devices(service: Service) -> None:
    """The driver is the one with this reference, speeds are knots, and an unknown device is counted."""
    driver = await service.post(
        "/v1/drivers", {"name": "Aino", "vehicle": "car", "reference": "350000000000001"}
    )
    unknown = await counted(service, "traccar", "unknown_device")
    for reference in (driver["reference"], "350000000000002"):
        answer = await service.http.post(
            "/ingest/traccar", params={"api_key": ADMIN_KEY}, json=forwarded(reference), headers=NOBODY
        )
        assert (answer.status_code, answer.content) == (200, b"")
    fix = await last_fix(service, driver)
    assert (fix["lat"], fix["battery"], fix["accuracy"]) == (LAT, 0.85, None)
    assert fix["speed"] == pytest.approx(5.144, abs=1e-3)
    assert await counted(service, "traccar", "unknown_device") == unknown + 1


async def test_the_state_of_the_phone_is_kept(service: Service) -> None:
    """Battery, charging and network, also of a heartbeat; a backlog does not overrule them."""
    driver = await service.new_driver()
    headers = bearer(driver["token"])

    async def device() -> Any:
        return (await service.get(f"/v1/drivers/{driver['id']}"))["device"]

    for message in (location(), location(600, batt=90, bs=2, conn="m")):
        assert (await service.http.post("/ingest/owntracks", json=message, headers=headers)).is_success
    found = await device()
    assert (found["battery"], found["charging"], found["network"]) == (0.62, False, "wifi")
    heartbeat = {"device_id": "x", "location": {"battery": {"level": 0.25, "is_charging": True}}}
    assert (await service.http.post("/ingest/osmand", json=heartbeat, headers=headers)).is_success
    found = await device()
    assert (found["battery"], found["charging"], found["app"]) == (0.25, True, "Traccar Client")


async def test_osmands_navigation_moves_the_forecast(service: Service) -> None:
    """`etfa` is the arrival at the next stop; 0 stands for no route."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})

    async def arrives() -> datetime:
        eta = await service.get(f"/v1/orders/{order['id']}/eta")
        return datetime.fromisoformat(eta["arrives_at"])

    async def send(ago: int, eta: int) -> None:
        place = f"lat={LAT}&lon={LON}&timestamp={seconds(ago) * 1000}&speed=5.0&speed_unit=mps"
        url = f"/ingest/osmand/{driver['token']}?{place}&eta={eta}&etfa=0"
        assert (await service.http.get(url, headers=NOBODY)).status_code == 200

    async def is_routed() -> bool:
        return (await service.http.get(f"/v1/orders/{order['id']}/eta")).is_success

    await send(3, 0)
    await until(is_routed, 30)
    alone, now = await arrives(), datetime.now(UTC)
    later = now + 2.0 * (alone - now)
    await send(2, int(later.timestamp() * 1000))

    async def has_moved() -> bool:
        return alone + timedelta(seconds=5) < await arrives() < later

    await until(has_moved, 30)


@pytest.mark.parametrize("app", ["owntracks", "osmand", "overland", "traccar"])
async def test_a_phone_whose_clock_is_fast_loses_nothing(service: Service, app: str) -> None:
    """Its first position is stored and shown as of now, although it claims to be of in five minutes."""
    driver, ahead = await service.new_driver(), -300.0
    await service.http.patch(f"/v1/drivers/{driver['id']}", json={"reference": driver["id"]})
    later = (datetime.now(UTC) - timedelta(seconds=ahead)).isoformat()
    query = {"lat": str(LAT), "lon": str(LON), "timestamp": str(seconds(ahead))}
    before, ask = await metric(service, STORED), service.http
    match app:
        case "owntracks":
            answer = await ask.post(
                "/ingest/owntracks", json=location(ahead), headers=bearer(driver["token"])
            )
        case "osmand":
            answer = await ask.get("/ingest/osmand", params=query, headers=bearer(driver["token"]))
        case "overland":
            batch = {"locations": [feature(ahead + 4 * n) for n in range(300, -1, -1)]}
            answer = await ask.post("/ingest/overland", json=batch, headers=bearer(driver["token"]))
        case _:
            answer = await ask.post("/ingest/traccar", json=forwarded(driver["id"], fixTime=later))
    assert answer.status_code == 200
    assert await metric(service, STORED) == before + (301 if app == "overland" else 1)
    recorded_at = datetime.fromisoformat((await last_fix(service, driver))["recorded_at"])
    assert abs((recorded_at - datetime.now(UTC)).total_seconds()) < 30


async def test_the_offset_of_a_clock_outlives_the_trip_in_memory(service: Service) -> None:
    """The API rejects the first messages of a fast clock, and none after the trip is loaded again."""
    driver, ahead = await service.new_driver(), timedelta(hours=3)

    async def send() -> Any:
        at = (datetime.now(UTC) + ahead).isoformat()
        fixes = {"fixes": [{"recorded_at": at, "lat": LAT, "lon": LON}]}
        return (
            await service.http.post("/v1/drivers/fixes", json=fixes, headers=bearer(driver["token"]))
        ).json()

    first = await send()
    assert [one["reason"] for one in first["rejected"]] == ["in_the_future"]
    accepted = 0

    async def is_settled() -> bool:
        nonlocal accepted
        accepted += (await send())["stored"]
        return bool(accepted >= 3)

    await until(is_settled, every=0.3)
    await service.http.patch(f"/v1/drivers/{driver['id']}", json={"vehicle": "bicycle"})  # loads it again
    assert (await send())["stored"] == 1
