"""Off duty nothing of a driver's place is stored, shown or logged, by whatever way it comes in.

A new way in is one more entry of `WAYS_IN`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from tests.conftest import temporary_database
from tests.database.test_erasure import holders
from tests.mqtt.brokers import Broker, broker_for
from tests.mqtt.device import device_of
from tests.service import SECRET, Service, hear, running_service, say, token_of
from tests.waiting import until
from tracker.commands.mqtt_accounts.files import write_files
from tracker.config import Config

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


async def by_traccar(service: Service, token: str, fix: Fix) -> Any:
    """The driver's reference is read from the list: the one of this token is the newest."""
    driver = (await service.get("/v1/drivers?limit=1"))["items"][0]
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
    "screen": as_screen,
    "OwnTracks": by_owntracks,
    "OsmAnd": by_osmand,
    "Overland": by_overland,
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
    paths += [f"{order_path}/history", f"{order_path}/eta/history", track, f"{track}/poll?wait_s=0"]
    paths += [
        f"{order_path}/track.{extension}?include=rejected"
        for extension in ("geojson", "gpx", "csv", "ndjson", "json")
    ]
    answers = [await service.http.get(path) for path in paths]
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    own = (
        "",
        "/openings",
        *(f"/track.{form}?include=rejected" for form in ("geojson", "gpx", "csv", "ndjson")),
    )
    answers += [await service.http.get(f"/v1/drivers/me{path}", headers=bearer) for path in own]
    assert [answer.url for answer in answers if answer.status_code != 200] == []
    return "\n".join(answer.text for answer in answers)


@pytest.mark.parametrize("way", WAYS_IN)
async def test_nothing_recorded_off_duty_is_found_anywhere(talkative: tuple[Service, str], way: str) -> None:
    """Sent while off duty and, as a backlog, afterwards; on duty the same way in stores what it gets."""
    service, database_url = talkative
    send = WAYS_IN[way]
    driver = await service.new_driver()
    place = {"lat": WORK[0], "lon": WORK[1]}
    order = await service.post(
        "/v1/orders",
        {"pickup": place, "dropoff": place | {"lat": 60.1666}, "driver_id": driver["id"],
         "visibility": {"position": "always", "route": "always"}},
    )  # fmt: skip
    told: list[str] = []
    async with service.watch(order) as customer:
        told.append(json.dumps(await hear(customer, "snapshot")))
        await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
        home = fix_at(HOME)
        for fix in (home, home, fix_at(HOME)):
            assert (await send(service, driver["token"], fix)).get("discarded", 1) == 1
        evening = datetime.now(UTC)
        told.append(await shown(service, driver, order))
        assert (await service.get(f"/v1/drivers/{driver['id']}"))["last_fix"] is None
        await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True})
        await send(service, driver["token"], fix_at(HOME, evening))
        await send(service, driver["token"], fix_at(WORK))
        while (update := await hear(customer, "update")).get("position") is None:
            told.append(json.dumps(update))
        told.append(json.dumps(update))
    told.append(await shown(service, driver, order))
    told.append(service.log.read_text(errors="replace"))
    assert str(WORK[0]) in told[-2]
    assert {"fixes"} <= {name.split("_")[0] for name in await holders(database_url, str(WORK[0]))}
    for canary in CANARIES:
        assert [text for text in told if canary in text] == []
        assert await holders(database_url, canary) == []
