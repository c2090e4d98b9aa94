"""Orders from addresses: a stop without coordinates is where the map has its address."""

from typing import Any

import pytest

from tests.api.merchant import wrong_fields
from tests.service import Service

SHOP = {"lat": 60.1713, "lon": 24.9440}
KASARMIKATU = {"address": "kasarmik. 36, 00130 helsinki"}


def near(lat: float, lon: float, precision: str) -> tuple[Any, Any, str]:
    return pytest.approx(lat, abs=5e-4), pytest.approx(lon, abs=5e-4), precision


def ends(stop: dict[str, Any]) -> tuple[float, float, str]:
    return stop["lat"], stop["lon"], stop["precision"]


async def test_an_address_alone_is_located(service: Service) -> None:
    """At either end; the stop keeps the merchant's words, and says how well its place is known."""
    order = await service.post("/v1/orders", {"pickup": SHOP, "dropoff": KASARMIKATU})
    assert ends(order["dropoff"]) == near(60.1652, 24.9476, "house")
    assert order["dropoff"]["address"] == KASARMIKATU["address"]
    assert order["pickup"]["precision"] == "exact"
    assert await service.get(f"/v1/orders/{order['id']}") == order
    street = {"address": "Mannerheimintie 2000", "service_s": 60}
    other = await service.post("/v1/orders", {"pickup": street, "dropoff": {"address": "Helsinki"}})
    assert (other["pickup"]["precision"], other["pickup"]["service_s"]) == ("street", 60)
    assert other["dropoff"]["precision"] == "place"


async def test_coordinates_win_over_the_address(service: Service) -> None:
    """The address is then a text for people, whatever it says."""
    order = await service.post("/v1/orders", {"pickup": SHOP, "dropoff": SHOP | {"address": "the red door"}})
    assert ends(order["dropoff"]) == (SHOP["lat"], SHOP["lon"], "exact")


@pytest.mark.parametrize(
    ("address", "why", "candidate"),
    [
        ("Kasarmikatu 36, Tampere", "fits no address", "Kasarmikatu 36"),
        ("Kasarm 36", "fits no address", "Kasarmikatu 36"),
        ("Alepa", "fits several places", "Alepa"),
        ("qqqqxxxxzzzz 5", "fits no address", None),
        ("?!", "fits no address", None),
    ],
)
async def test_a_doubtful_address_gets_candidates(
    service: Service, address: str, why: str, candidate: str | None
) -> None:
    """422 with what may be meant; a candidate's own text is then accepted."""
    answer = await service.http.post("/v1/orders", json={"pickup": SHOP, "dropoff": {"address": address}})
    assert wrong_fields(answer) == ["dropoff.address"]
    [error] = answer.json()["errors"]
    assert why in error["detail"]
    assert bool(error["candidates"]) == (candidate is not None)
    for each in error["candidates"][:1]:
        assert candidate is not None
        assert candidate in each["address"]
        assert each.keys() == {"address", "lat", "lon", "precision"}
        order = await service.post(
            "/v1/orders", {"pickup": SHOP, "dropoff": {k: each[k] for k in ("lat", "lon", "address")}}
        )
        assert order["dropoff"]["address"] == each["address"]


@pytest.mark.parametrize(
    ("stop", "fields"),
    [
        ({}, ["dropoff.lat", "dropoff.lon"]),
        ({"address": "  "}, ["dropoff.lat", "dropoff.lon"]),
        ({"lat": 60.17}, ["dropoff.lon"]),
        ({"lon": 24.94, "address": "Kasarmikatu 36"}, ["dropoff.lat"]),
        ({"address": "x" * 501}, ["dropoff.address"]),
        ({"address": "Kasarmikatu 36", "precision": "exact"}, ["dropoff.precision"]),
    ],
)
async def test_a_stop_without_a_place_is_refused(
    service: Service, stop: dict[str, Any], fields: list[str]
) -> None:
    """Each missing field by its name."""
    assert (
        wrong_fields(await service.http.post("/v1/orders", json={"pickup": SHOP, "dropoff": stop})) == fields
    )


async def test_many_orders_from_addresses(service: Service) -> None:
    """A wrong address is the problem of its order alone; the same key gives the same answer."""
    texts = ["Kasarmikatu 36", "Kasarmikatu 36, Tampere", "Aleksanterinkatu 52"]
    body = {"orders": [{"pickup": SHOP, "dropoff": {"address": text}} for text in texts]}
    key = {"Idempotency-Key": "orders-from-addresses"}
    answers = [(await service.http.post("/v1/orders/bulk", json=body, headers=key)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    items = answers[0]["items"]
    assert [item["status"] for item in items] == [201, 422, 201]
    [error] = items[1]["problem"]["errors"]
    assert error["candidates"][0]["address"].startswith("Kasarmikatu 36,")
    assert items[2]["order"]["dropoff"]["precision"] == "house"


async def test_a_new_address_moves_the_stop(service: Service) -> None:
    """Unless its coordinates came from the merchant; with coordinates it becomes exact."""
    order = await service.post("/v1/orders", {"pickup": SHOP | {"address": "Shop"}, "dropoff": KASARMIKATU})
    path = f"/v1/orders/{order['id']}"
    texts = {"pickup": {"address": "Mannerheimintie 5"}, "dropoff": {"address": "Kaivokatu 1"}}
    moved = (await service.http.patch(path, json=texts)).json()
    assert ends(moved["pickup"]) == ends(order["pickup"])
    assert moved["pickup"]["address"] == "Mannerheimintie 5"
    assert ends(moved["dropoff"]) == near(60.1712, 24.9412, "house")
    wrong = await service.http.patch(path, json={"dropoff": {"address": "Kaivokatu 1, Tampere"}})
    assert wrong_fields(wrong) == ["dropoff.address"]
    assert wrong.json()["errors"][0]["candidates"]
    assert await service.get(path) == moved
    renamed = (await service.http.patch(path, json={"dropoff": {"address": None, "service_s": 9}})).json()
    assert ends(renamed["dropoff"]) == ends(moved["dropoff"])
    exact = (await service.http.patch(path, json={"dropoff": SHOP})).json()
    assert ends(exact["dropoff"]) == (SHOP["lat"], SHOP["lon"], "exact")
    stays = (await service.http.patch(path, json={"dropoff": {"address": "Kaivokatu 1"}})).json()
    assert ends(stays["dropoff"]) == ends(exact["dropoff"])


async def test_a_list_is_located_as_its_orders_would_be(service: Service) -> None:
    """Found, several places and none, in sequence; an order with the address gets the same place."""
    texts = [KASARMIKATU["address"], "Alepa", "qqqqxxxxzzzz 5", KASARMIKATU["address"]]
    answer = await service.http.post("/v1/geocode", json={"addresses": texts})
    assert answer.status_code == 200
    found, several, none, again = answer.json()["items"]
    order = await service.post("/v1/orders", {"pickup": SHOP, "dropoff": {"address": texts[0]}})
    assert ends(order["dropoff"]) == ends(found["place"])
    assert (found["candidates"], found["ambiguous"], again) == ([], False, found)
    assert (several["place"], several["ambiguous"], len(several["candidates"]) > 1) == (None, True, True)
    assert none == {"place": None, "candidates": [], "ambiguous": False}


@pytest.mark.parametrize("addresses", [["x"] * 501, ["x" * 501], [7], "x", None])
async def test_a_wrong_list_is_refused(service: Service, addresses: object) -> None:
    """422, and nothing is searched."""
    answer = await service.http.post("/v1/geocode", json={"addresses": addresses})
    assert wrong_fields(answer)[0].startswith("addresses")
