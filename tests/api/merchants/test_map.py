"""What programs may ask of the map: its bounds, its addresses, a search in them, the way between places."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from quart import Quart
from quart.typing import TestClientProtocol as Client

from tracker.api.errors import register_errors
from tracker.api.json_bodies import register_bodies
from tracker.api.merchant import map as map_api
from tracker.config import Config
from tracker.domain.geo import LonLat, distance
from tracker.map.addresses import open_address_index
from tracker.map.extract import MapExtract, find_map
from tracker.map.geocoder import open_geocoder
from tracker.map.preparation import Preparation, settled
from tracker.rate_limits import RateLimit
from tracker.routing import Router

KEY = "the-admin-key-of-these-tests"
ALLOWED = {"Authorization": f"Bearer {KEY}"}
STATION = {"lat": 60.1710, "lon": 24.9414}
CATHEDRAL = {"lat": 60.1695, "lon": 24.9522}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def map_file(data_dir: Path) -> MapExtract:
    """The demo area, with routing tiles."""
    found = find_map(Config(data_dir=data_dir))
    async with Router.open(found, lambda _: None):
        return found


@pytest.fixture
async def client(map_file: MapExtract) -> AsyncIterator[Client]:
    """An app of the map's endpoints alone, with a real router and no database."""
    app = Quart("map")
    register_errors(app)
    register_bodies(app)
    app.register_blueprint(map_api.blueprint)
    async with (
        Router.open(map_file, pytest.fail) as router,
        Preparation.of("addresses", open_address_index(map_file)) as addresses,
        Preparation.of("geocoder", open_geocoder(map_file, lambda _: None)) as geocoder,
    ):
        assert await settled([addresses, geocoder], within=60.0)
        app.extensions["tracker"] = SimpleNamespace(
            config=Config(admin_key=KEY),
            map_file=map_file,
            router=router,
            addresses=addresses,
            geocoder=geocoder,
            request_rates=RateLimit(1000, 1000.0),
        )
        yield app.test_client()


async def get(client: Client, path: str) -> Any:
    answer = await client.get(path, headers=ALLOWED)
    assert answer.status_code == 200
    return await answer.get_json()


async def test_the_map_says_what_it_covers(client: Client) -> None:
    """Name, bounds, their centre, and whom to thank."""
    area = await get(client, "/v1/map")
    west, south, east, north = area["bbox"]
    assert area["name"] == "Helsinki"
    assert west < area["center"][0] < east
    assert south < area["center"][1] < north
    assert area["attribution"] == "© OpenStreetMap contributors"


async def test_addresses_are_real_and_on_the_map(client: Client) -> None:
    """Street and number, all different, in or at the edge of the area."""
    west, south, east, north = (await get(client, "/v1/map"))["bbox"]
    items = (await get(client, "/v1/map/addresses?limit=100"))["items"]
    assert len({item["address"] for item in items}) == 100
    for item in items:
        assert west - 0.002 < item["lon"] < east + 0.002
        assert south - 0.002 < item["lat"] < north + 0.002
    known = {item["address"]: item for item in (await get(client, "/v1/map/addresses?limit=500"))["items"]}
    street = [address for address in known if address.startswith("Aleksanterinkatu ")]
    assert street
    assert all(
        distance(LonLat(known[a]["lon"], known[a]["lat"]), LonLat(24.947, 60.169)) < 800 for a in street
    )


async def test_a_seed_gives_the_same_addresses_every_time(client: Client) -> None:
    """Simulations can be repeated; another seed gives others."""
    first, again, other = [
        (await get(client, f"/v1/map/addresses?limit=20&seed={seed}"))["items"] for seed in (7, 7, 8)
    ]
    assert first == again
    assert first != other


async def test_addresses_are_found_by_their_text(client: Client) -> None:
    """As the contract has it: a list without a further page, the best first."""
    found = await get(client, "/v1/geocode?q=kasarmik.%2036&limit=2")
    assert found == {
        "items": [
            {"address": "Kasarmikatu 36, Helsinki", "lat": 60.165179, "lon": 24.947629, "precision": "house"}
        ],
        "next": None,
    }
    streets = (await get(client, "/v1/geocode?q=katu&limit=3&near=60.17,24.94"))["items"]
    assert [street["precision"] for street in streets] == ["street"] * 3
    assert (await get(client, "/v1/geocode?q=qqqqxxxxzzzz"))["items"] == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        (f"q={'x' * 201}", "q"),
        ("q=x&limit=0", "limit"),
        ("q=x&limit=501", "limit"),
        ("q=x&near=here", "near"),
        ("q=x&near=91,0", "near"),
        ("q=x&near=nan,0", "near"),
        ("q=x&near=1,2,3", "near"),
        ("q=x&town=y", "town"),
    ],
)
async def test_a_wrong_search_is_named(client: Client, text: str, field: str) -> None:
    """422 with the parameter."""
    answer = await client.get(f"/v1/geocode?{text}", headers=ALLOWED)
    assert answer.status_code == 422
    assert [each["field"] for each in (await answer.get_json())["errors"]] == [field]


async def test_a_route_has_streets_that_index_its_line(client: Client) -> None:
    """GeoJSON geometry, metres, seconds, and edges from the first to the last coordinate."""
    answer = await client.post(
        "/v1/routes", headers=ALLOWED, json={"places": [STATION, CATHEDRAL, STATION], "vehicle": "bicycle"}
    )
    assert answer.status_code == 200
    legs = (await answer.get_json())["legs"]
    assert len(legs) == 2
    for leg in legs:
        assert leg["geometry"]["type"] == "LineString"
        assert leg["edges"][0]["begin"] == 0
        assert leg["edges"][-1]["end"] == len(leg["geometry"]["coordinates"]) - 1
        assert leg["distance_m"] > 500
        assert leg["duration_s"] > 60
        assert {"length_m", "duration_s", "road_class", "signal"} < leg["edges"][0].keys()


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"places": [STATION, {"lat": 60.17, "lon": 24.4}], "vehicle": "car"}, 404, None),
        ({"places": [STATION], "vehicle": "car"}, 422, "places"),
        ({"places": [STATION, {"lat": 91, "lon": 0}], "vehicle": "car"}, 422, "places[1].lat"),
        ({"places": [STATION, CATHEDRAL], "vehicle": "boat"}, 422, "vehicle"),
        ({"places": [STATION, CATHEDRAL], "vehicle": "car", "colour": "red"}, 422, "colour"),
    ],
)
async def test_what_cannot_be_routed_is_told(
    client: Client, asked: object, status: int, field: str | None
) -> None:
    """No way is 404, a wrong value 422 with its name; both as a problem."""
    answer = await client.post("/v1/routes", headers=ALLOWED, json=asked)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = await answer.get_json()
    assert [each["field"] for each in problem.get("errors", [])] == ([field] if field else [])


async def test_without_a_key_the_map_is_closed(client: Client) -> None:
    """All three need an API key."""
    assert (await client.get("/v1/map")).status_code == 401
    assert (await client.get("/v1/map/addresses")).status_code == 401
    assert (await client.post("/v1/routes", json={})).status_code == 401
