"""Off duty nothing of a driver's place is stored, shown or logged, by whatever way it comes in.

A new way in is one more entry of `WAYS_IN`.
"""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
import pytest_asyncio
from PIL import Image

from tests.api.merchant import rfc3339
from tests.conftest import temporary_database
from tests.database.test_erasure import holders
from tests.mqtt.brokers import Broker, broker_for
from tests.mqtt.device import device_of
from tests.privacy.exchanges import Exchange, Logged, Published, Said
from tests.privacy.places import Place
from tests.privacy.recording import JUDGE, verdict
from tests.service import SECRET, Service, hear, running_service, say, token_of
from tests.waiting import until
from tracker.commands.mqtt_accounts.files import write_files
from tracker.config import Config
from tracker.database.backup.dump import dump

WORK: Final = (60.17135, 24.94405)  # where the driver is on duty
HOME: Final = (60.1687135, 24.9345271)  # where the driver lives, which nobody may learn
CANARIES: Final = ("60.16871", "24.93452")

type Fix = dict[str, Any]


async def by_json(service: Service, token: str, fix: Fix) -> Any:
    async with service.drive(token) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix])
        return await hear(courier, "ack")


async def by_msgpack(service: Service, token: str, fix: Fix) -> Any:
    async with service.drive(token, subprotocols=["tracker.v1.msgpack"]) as courier:
        await courier.send(msgspec.msgpack.encode({"type": "fixes", "id": 1, "fixes": [fix]}))
        while True:
            message = msgspec.msgpack.decode(await courier.recv())  # type: ignore[arg-type]
            if message["type"] == "ack":
                return message


async def by_http(service: Service, token: str, fix: Fix) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await service.http.post("/v1/drivers/fixes", json=[fix], headers=headers)
    assert answer.status_code == 200
    return answer.json()


async def as_screen(service: Service, token: str, fix: Fix) -> Any:
    async with service.drive(token) as courier:
        await say(courier, type="hello", role="screen")
        await say(courier, type="fixes", id=1, fixes=[fix])
        return await hear(courier, "ack")


async def post(service: Service, token: str, path: str, body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await service.http.post(path, json=body, headers=headers)
    assert answer.status_code == 200
    return {}


async def by_owntracks(service: Service, token: str, fix: Fix) -> Any:
    at = datetime.fromisoformat(fix["recorded_at"]).timestamp()
    body = {"_type": "location", "lat": fix["lat"], "lon": fix["lon"], "tst": at, "batt": 50}
    return await post(service, token, "/ingest/owntracks", body)


async def by_osmand(service: Service, token: str, fix: Fix) -> Any:
    query = f"lat={fix['lat']}&lon={fix['lon']}&timestamp={fix['recorded_at'].replace('+', '%2B')}&batt=50"
    return await post(service, token, f"/ingest/osmand?{query}", None)


async def by_overland(service: Service, token: str, fix: Fix) -> Any:
    geometry = {"type": "Point", "coordinates": [fix["lon"], fix["lat"]]}
    properties = {"timestamp": fix["recorded_at"], "battery_level": 0.5}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return await post(service, token, "/ingest/overland", {"locations": [feature], "current": feature})


async def by_overland_queue(service: Service, token: str, fix: Fix) -> Any:
    """The newest position of a long queue, at Dawarich's path, with the token in the query string."""
    geometry = {"type": "Point", "coordinates": [fix["lon"], fix["lat"]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"timestamp": fix["recorded_at"]}}
    path = f"/api/v1/overland/batches?api_key={token}"
    return await post(service, token, path, {"locations": [], "current": feature})


async def by_traccar_client(service: Service, token: str, fix: Fix) -> Any:
    coords = {"latitude": fix["lat"], "longitude": fix["lon"], "accuracy": 5.0}
    location = {"timestamp": fix["recorded_at"], "coords": coords, "battery": {"level": 0.5}}
    return await post(service, token, f"/ingest/osmand/{token}", {"location": location, "device_id": "1"})


async def by_form(service: Service, token: str, fix: Fix) -> Any:
    """As GPSLogger and Traccar Client send: the fields of a form, the token as the device's id."""
    form = {"id": token, "lat": fix["lat"], "lon": fix["lon"], "timestamp": fix["recorded_at"]}
    answer = await service.http.post("/ingest/osmand", data=form, headers={"Authorization": ""})
    assert answer.status_code == 200
    return {}


async def beside_a_wrong_one(service: Service, token: str, fix: Fix) -> Any:
    """The service reads such a batch in another way."""
    wrong = fix | {"recorded_at": 7, "lat": str(fix["lat"])}
    async with service.drive(token) as courier:
        await say(courier, type="fixes", id=1, fixes=[wrong, fix | {"comment": f"{fix['lat']}"}])
        ack = await hear(courier, "ack")
        assert ack["rejected"] == [{"index": 0, "reason": "malformed"}]
        return ack


async def by_traccar(service: Service, token: str, fix: Fix) -> Any:
    """A server forwards it, which knows the driver by the reference."""
    bearer = {"Authorization": f"Bearer {token}"}
    driver = (await service.http.get("/v1/drivers/me", headers=bearer)).json()["driver"]
    change = await service.http.patch(f"/v1/drivers/{driver['id']}", json={"reference": driver["id"]})
    assert change.status_code == 200
    position = {"fixTime": fix["recorded_at"], "latitude": fix["lat"], "longitude": fix["lon"]}
    body = {"position": position, "device": {"uniqueId": driver["id"]}}
    answer = await service.http.post("/ingest/traccar", json=body)
    assert answer.status_code == 200
    return {}


async def by_mqtt(service: Service, token: str, fix: Fix) -> Any:
    """Through a broker that knows the accounts, and that the service is connected to."""
    broker, database_url = BROKERS[service.address]
    bearer = {"Authorization": f"Bearer {token}"}
    me = (await service.http.get("/v1/drivers/me", headers=bearer)).json()
    config = Config(database_url=database_url, mqtt_url=broker.url, secret=SECRET)
    await write_files(config, lambda _: None, broker.kind, broker.folder)
    broker.reload()
    at = datetime.fromisoformat(fix["recorded_at"]).timestamp()
    async with device_of(broker, {"id": me["driver"]["id"], "token": token}) as device:
        device.send({"_type": "location", "lat": fix["lat"], "lon": fix["lon"], "tst": at, "batt": 50})
        await until(lambda: device.acks)
        return device.acks[0]


BROKERS: Final[dict[str, tuple[Broker, str]]] = {}  # and the database, by the address of the service
WAYS_IN: Final[dict[str, Callable[[Service, str, Fix], Awaitable[Any]]]] = {
    "WebSocket": by_json,
    "MessagePack": by_msgpack,
    "HTTP": by_http,
    "WebSocket, beside a wrong one": beside_a_wrong_one,
    "screen": as_screen,
    "OwnTracks": by_owntracks,
    "OsmAnd": by_osmand,
    "a form": by_form,
    "Traccar Client": by_traccar_client,
    "Overland": by_overland,
    "Overland's queue": by_overland_queue,
    "Traccar": by_traccar,
    "MQTT": by_mqtt,
}


def fix_at(place: tuple[float, float], at: datetime | None = None) -> Fix:
    lat, lon = place
    return {"recorded_at": (at or datetime.now(UTC)).isoformat(), "lat": lat, "lon": lon, "accuracy": 5.0}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def talkative(
    data_dir: Path, postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Service, str]]:
    """A node of its own that logs all it can, and its database."""
    async with (
        temporary_database(postgres, template) as url,
        broker_for("nats", tmp_path_factory.mktemp("broker"), judged=True) as broker,
        running_service(
            data_dir, url, TRACKER_MQTT_URL=broker.url, TRACKER_LOG_LEVEL="debug", PYTHONASYNCIODEBUG="1"
        ) as running,
    ):
        config = Config(database_url=url, mqtt_url=broker.url, secret=SECRET)
        await write_files(config, lambda _: None, broker.kind, broker.folder)
        await broker.start()
        BROKERS[running.address] = broker, url
        yield running, url


async def read(service: Service, path: str, **headers: str) -> httpx.Response:
    """The answer, once the database has one: a busy machine lets it wait."""

    async def answer() -> httpx.Response | None:
        found = await service.http.get(path, headers=headers)
        return None if found.status_code == httpx.codes.SERVICE_UNAVAILABLE else found

    found = await until(answer)
    assert found is not None
    return found


async def shown(service: Service, driver: Any, order: Any) -> str:
    """All that the service says about the driver and the order, to anybody, as one text."""
    order_path, track = f"/v1/orders/{order['id']}", f"/v1/track/{token_of(order)}"
    paths = [
        f"/v1/drivers/{driver['id']}",
        "/v1/drivers?limit=500",
        "/metrics",
        order_path,
        f"{order_path}/eta",
    ]
    paths += [f"{order_path}/history", f"{order_path}/eta/history", f"{order_path}/proofs"]
    paths += [
        track,
        f"{track}/poll?wait_s=0",
        f"/t/{token_of(order)}",
        "/readyz",
        "/v1/orders?limit=500",
        "/v1/events?limit=500",
    ]
    paths += [
        f"{order_path}/track.{extension}?include=rejected"
        for extension in ("geojson", "gpx", "csv", "ndjson", "json")
    ]
    answers = [await read(service, path) for path in paths]
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    own = (
        "",
        "/openings",
        *(f"/track.{form}?include=rejected" for form in ("geojson", "gpx", "csv", "ndjson")),
    )
    answers += [await read(service, f"/v1/drivers/me{path}", **bearer) for path in own]
    assert [(answer.url.path, answer.text) for answer in answers if answer.status_code != 200] == []
    return "\n".join(answer.text for answer in answers)


async def try_way(service: Service, way: str) -> list[str]:
    """Send a place off duty and, as a backlog, afterwards; then another one on duty. Return what was told."""
    send, driver = WAYS_IN[way], await service.new_driver()
    order = await service.new_order(
        driver["id"],
        pickup={"lat": WORK[0], "lon": WORK[1]},
        visibility={"position": "always", "route": "always"},
    )
    told: list[str] = []
    async with service.watch(order) as customer:
        told.append(json.dumps(await hear(customer, "snapshot")))
        await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
        home = fix_at(HOME)
        for fix in (home, home, fix_at(HOME)):
            assert (await send(service, driver["token"], fix)).get("discarded", 1) == 1, way
        evening = datetime.now(UTC)
        told.append(await shown(service, driver, order))
        assert (await service.get(f"/v1/drivers/{driver['id']}"))["last_fix"] is None, way
        await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True})
        await send(service, driver["token"], fix_at(HOME, evening))
        await send(service, driver["token"], fix_at(WORK))
        while (update := await hear(customer, "update")).get("position") is None:
            told.append(json.dumps(update))
        told.append(json.dumps(update))
    told.append(await shown(service, driver, order))
    assert str(WORK[0]) in told[-1], way
    assert verdict() == []
    believed = JUDGE.story.drivers[driver["id"]]
    assert believed.is_known and believed.seen.times_near(Place(*WORK)) is not None, way
    return told


async def test_nothing_recorded_off_duty_is_found_anywhere(talkative: tuple[Service, str]) -> None:
    """By whatever way it comes in; on duty the same way stores what it gets."""
    service, database_url = talkative
    heard = JUDGE.heard.copy()
    told = [text for way in await asyncio.gather(*(try_way(service, way) for way in WAYS_IN)) for text in way]
    told.append(service.log.read_text(errors="replace"))
    assert "fixes" in {name.split("_")[0] for name in await holders(database_url, str(WORK[0]))}
    await check_nothing_is_left(told, database_url)
    assert JUDGE.story.off_duty.secret  # the judge looks for them in all that the service says
    assert {Exchange, Said, Published, Logged} <= (JUDGE.heard - heard).keys()


async def check_nothing_is_left(told: list[str], database_url: str) -> None:
    """No canary in what anybody was told, nor in any column of any table."""
    for canary in CANARIES:
        assert [text for text in told if canary in text] == []
        assert await holders(database_url, canary) == []


async def odd_messages(service: Service, driver: Any, order: Any) -> None:
    """Whatever a device may say of its place in another form, or in a fix that is not taken."""
    lat, lon = HOME
    text, fix = f"{lat},{lon}", fix_at(HOME)
    late = datetime.now(UTC) + timedelta(hours=1)
    odd_fixes = [
        *(fix | {"accuracy": 5_000.0}, fix_at(HOME, late), fix_at(HOME, late - timedelta(days=400))),
        *(fix | {"lat": text}, fix | {"recorded_at": text}, fix | {"altitude": lat, "heading": lon}, text),
        fix | {"address": {"lat": lat, "lon": lon}},
    ]
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="device", id=1, battery=0.5, app=text, network=text, place=fix)
        await hear(courier, "ack", "error")
        await say(courier, type="navigation", arrives_at=rfc3339(late), place=text)
        await say(courier, type="fixes", id=2, fixes=odd_fixes, source=text)
        assert (await hear(courier, "ack"))["stored"] == 0
        await say(courier, type=text, lat=lat, lon=lon)
        await courier.send(f"[{text}")
        await say(courier, type="ping", n=3)
        await hear(courier, "pong")
    place = {"lat": lat, "lon": lon, "tst": int(late.timestamp())}
    odd: list[tuple[str, Any]] = [
        ("/ingest/owntracks", {"_type": "waypoint", "desc": text, **place}),
        ("/ingest/owntracks", {"_type": "transition", "event": "leave", **place}),
        ("/ingest/owntracks", {"_type": "location", "tag": text, "inregions": [text], "SSID": text, **place}),
        ("/ingest/owntracks", {"_type": "card", "name": text, "face": text}),
        (f"/ingest/osmand?location={text}&desc={text}&batt=50", None),
        (f"/ingest/osmand?lat={lat}&lon={text}", None),
        ("/ingest/overland", {"locations": [{"geometry": text, "properties": place}], "trip": place}),
    ]
    for path, body in odd:
        await post(service, driver["token"], path, body)
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    refused = await service.http.post("/v1/drivers/fixes", json={"fixes": text}, headers=bearer)
    assert refused.status_code in {400, 422}
    proof: Any = {"kind": (None, "photo"), "stop": (None, "pickup"), "file": (f"{text}.jpg", photo_at(HOME))}
    path = f"/v1/orders/{order['id']}/proofs"
    assert (await service.http.post(path, files=proof, headers=bearer)).status_code == 201


def photo_at(place: tuple[float, float]) -> bytes:
    """A JPEG whose metadata say where it was taken."""
    exif, content = Image.Exif(), BytesIO()
    exif[0x010E] = f"{place[0]},{place[1]}"  # the description
    Image.new("RGB", (40, 30), "teal").save(content, "JPEG", exif=exif)
    assert str(place[0]).encode() in content.getvalue()
    return content.getvalue()


async def test_odd_messages_off_duty_leave_nothing(talkative: tuple[Service, str], tmp_path: Path) -> None:
    """Places in other fields, in refused fixes and in a picture; a backup has nothing of them either."""
    service, database_url = talkative
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], pickup={"lat": WORK[0], "lon": WORK[1]})
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
    await odd_messages(service, driver, order)
    shown_off_duty = await service.get(f"/v1/drivers/{driver['id']}")
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True})
    assert (shown_off_duty["device"], shown_off_duty["last_fix"]) == (None, None)
    await by_json(service, driver["token"], fix_at(WORK))
    told = [await shown(service, driver, order), service.log.read_text(errors="replace")]
    await dump(database_url, tmp_path / "backup", lambda _: None)
    with zipfile.ZipFile(tmp_path / "backup") as backup:
        told += [backup.read(name).decode("latin-1") for name in backup.namelist()]
    assert any(str(WORK[0]) in text for text in told[2:])
    await check_nothing_is_left(told, database_url)


async def test_a_device_that_reports_late_reports_nothing_of_home(talkative: tuple[Service, str]) -> None:
    """Its battery and network of a time off duty, which arrive on duty, are not kept either."""
    service, _ = talkative
    driver = await service.new_driver()
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
    evening = datetime.now(UTC)
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True})
    await by_owntracks(service, driver["token"], fix_at(HOME, evening))
    assert (await service.get(f"/v1/drivers/{driver['id']}"))["device"] is None
    await by_owntracks(service, driver["token"], fix_at(WORK))
    assert (await service.get(f"/v1/drivers/{driver['id']}"))["device"]["battery"] == 0.5
