"""The judge of what customers are told: made-up recordings, one honest, and one for each rule broken."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.privacy.exchanges import Exchange, Record, Said, Unreadable
from tests.privacy.judge import Judge

HOME: dict[str, Any] = {"lat": 60.1700, "lon": 24.9400, "address": "Kotikatu 1"}
NEIGHBOUR: dict[str, Any] = {"lat": 60.1750, "lon": 24.9500, "address": "Naapurikatu 7"}
AT_HOME, AT_THE_NEIGHBOUR, ELSEWHERE = (60.1703, 24.9403), (60.1751, 24.9501), (60.1600, 24.9200)
NEXT_TO_THE_NEIGHBOUR = (60.1755, 24.9504)
BEFORE_THE_NEIGHBOUR, BEHIND_THE_NEIGHBOUR = (60.1752, 24.9475), (60.1752, 24.9525)
NEAR_A_DOOR = "Nothing within 100 m of another customer's dropoff on the same trip, open or not yet left"
FAR_FROM_A_DOOR = "No distance while the driver is within 100 m of such a door"
STRAIGHT_PAST = "No straight piece of a trail leads past a door that was hidden while it was driven"
TOO_EARLY = "Nothing of the driver and no ETA more than an hour before the window, unless fetched and next"
ALWAYS = {"position": "always", "route": "always"}
TOKEN = "link-of-ord_1"
ANNOUNCED = {
    "arrives_at": "2026-11-22T17:00:00.000Z",
    "computed_at": "2026-11-22T16:00:00.000Z",
    "stale": False,
}


class Tale:
    """What happened between a merchant, drivers and a customer; each call a second after the one before."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.records: list[tuple[float, int, Record]] = []
        self._version = 0

    def call(self, method: str, path: str, body: object, answer: object, **headers: str) -> None:
        self.now += 1.0
        said = msgspec.json.encode
        status = {"content-type": "application/json"}
        one = Exchange(method, path, headers, self.now, said(body), 200, status, self.now + 0.1, said(answer))
        self.records.append((one.answered_at, 0, one))

    def driver(self, driver_id: str, name: str) -> None:
        self.call(
            "POST", "/v1/drivers", {"name": name}, {"id": driver_id, "name": name, "token": f"t-{driver_id}"}
        )

    def order(
        self, order_id: str, status: str, driver_id: str | None, dropoff: Any, path: str = "", **more: Any
    ) -> None:
        """It is made, or (with a path) changed."""
        self._version += 1
        answer = {
            "id": order_id,
            "status": status,
            "driver_id": driver_id,
            "dropoff": dropoff,
            "version": self._version,
            "reference": f"Number {order_id}",
            "tracking_url": f"http://here/t/link-of-{order_id}",
            **more,
        }
        self.call("POST", path or "/v1/orders", {"visibility": ALWAYS}, answer)

    def moves(self, driver_id: str, *places: tuple[float, float]) -> None:
        fixes = [{"lat": lat, "lon": lon} for lat, lon in places]
        token = f"Bearer t-{driver_id}"
        self.call("POST", "/v1/drivers/fixes", {"fixes": fixes}, {}, authorization=token)

    def tells(self, link: str = TOKEN, **fields: Any) -> None:
        """The customer of ord_1, or of another link, by WebSocket."""
        self.now += 1.0
        now = datetime.fromtimestamp(self.now, UTC).isoformat()
        text = msgspec.json.encode({"type": "update", "now": now, "cursor": "c", **fields}).decode()
        self.records.append((self.now, 1, Said(self.now, False, f"/v1/track/{link}/stream", {}, text)))

    def rfc3339(self, ago: float = 0.0) -> str:
        return datetime.fromtimestamp(self.now - ago, UTC).isoformat()

    def broken(self) -> list[str]:
        return [violation.rule for violation in Judge().hears(self.records)]


def position(place: tuple[float, float]) -> dict[str, float]:
    return {"lat": place[0], "lon": place[1]}


def line(*places: tuple[float, float]) -> dict[str, Any]:
    return {"coordinates": [(lon, lat) for lat, lon in places]}


def begun() -> Tale:
    """One driver with one order, near its door."""
    tale = Tale()
    tale.driver("drv_1", "Aino Korhonen")
    tale.driver("drv_2", "Eero Virtanen")
    tale.order("ord_1", "assigned", "drv_1", HOME)
    tale.moves("drv_1", AT_HOME)
    return tale


def test_honest_words_are_no_violation() -> None:
    """The driver's own place, first name, and the customer's own address may be told."""
    tale = begun()
    place, told = position(AT_HOME), {"name": "Aino", "vehicle": "car"}
    tale.tells(position=place, trail=line(AT_HOME), driver=told, order={"dropoff": HOME})
    assert tale.broken() == []


def before_the_assignment(tale: Tale) -> None:
    tale.order("ord_1", "created", None, HOME, "/v1/orders/ord_1/status")
    tale.tells(position=position(AT_HOME))


def after_the_end(tale: Tale) -> None:
    tale.order("ord_1", "delivered", "drv_1", HOME, "/v1/orders/ord_1/status")
    tale.tells(trail=line(AT_HOME))


def of_the_former_driver(tale: Tale) -> None:
    tale.moves("drv_2", ELSEWHERE)
    tale.order("ord_1", "assigned", "drv_2", HOME, "/v1/orders/ord_1/assign")
    tale.tells(position=position(AT_HOME))


def driven_before_the_assignment(tale: Tale) -> None:
    tale.moves("drv_2", ELSEWHERE, AT_THE_NEIGHBOUR)
    tale.now += 60.0
    tale.moves("drv_2", AT_HOME)
    tale.order("ord_1", "assigned", "drv_2", HOME, "/v1/orders/ord_1/assign")
    tale.now += 60.0
    tale.tells(trail=line(ELSEWHERE, AT_HOME))


def at_an_open_door(tale: Tale) -> None:
    tale.order("ord_2", "assigned", "drv_1", NEIGHBOUR)
    tale.moves("drv_1", AT_THE_NEIGHBOUR)
    tale.tells(route=line(AT_HOME, AT_THE_NEIGHBOUR))


def at_the_neighbours(tale: Tale, *, status: str = "assigned", **more: Any) -> None:
    """The driver has the neighbour's order, too, and goes there; then it is over."""
    tale.order("ord_2", "assigned", "drv_1", NEIGHBOUR, **more)
    tale.now += 10.0
    for _ in range(4):
        tale.moves("drv_1", AT_THE_NEIGHBOUR)
    tale.now += 10.0
    if status != "assigned":
        tale.order("ord_2", status, "drv_1", NEIGHBOUR, "/v1/orders/ord_2/status", **more)
    tale.now += 10.0


def at_a_door_that_was_open(tale: Tale) -> None:
    at_the_neighbours(tale, status="delivered")
    tale.moves("drv_1", ELSEWHERE)
    tale.tells(trail=line(AT_HOME, AT_THE_NEIGHBOUR))


def at_a_door_not_left_yet(tale: Tale) -> None:
    at_the_neighbours(tale, status="delivered")
    tale.tells(route=line(NEXT_TO_THE_NEIGHBOUR, AT_HOME))


def at_a_door_that_was_taken_away(tale: Tale) -> None:
    at_the_neighbours(tale)
    tale.order("ord_2", "assigned", "drv_2", NEIGHBOUR, "/v1/orders/ord_2/assign")
    tale.now += 10.0
    tale.tells(route=line(AT_THE_NEIGHBOUR, AT_HOME))


def at_a_door_before_it_was_left(tale: Tale) -> None:
    at_the_neighbours(tale, status="delivered")
    tale.moves("drv_1", NEXT_TO_THE_NEIGHBOUR)
    tale.now += 10.0
    tale.moves("drv_1", ELSEWHERE)
    tale.tells(trail=line(NEXT_TO_THE_NEIGHBOUR, ELSEWHERE))


def straight_past_a_door(tale: Tale) -> None:
    tale.order("ord_2", "assigned", "drv_1", NEIGHBOUR)
    tale.now += 10.0
    tale.moves("drv_1", BEFORE_THE_NEIGHBOUR, BEHIND_THE_NEIGHBOUR)
    tale.tells(trail=line(BEFORE_THE_NEIGHBOUR, BEHIND_THE_NEIGHBOUR))


def by_the_distance(tale: Tale) -> None:
    at_the_neighbours(tale)
    tale.tells(eta=ANNOUNCED | {"computed_at": tale.rfc3339(), "distance_m": 612.4})


def by_the_distance_when_it_is_over(tale: Tale) -> None:
    at_the_neighbours(tale, status="failed")
    tale.tells(eta=ANNOUNCED | {"computed_at": tale.rfc3339(), "distance_m": 612.4})


def changed(tale: Tale, status: str = "assigned", **more: Any) -> None:
    """The customer's own order."""
    tale.order("ord_1", status, "drv_1", HOME, "/v1/orders/ord_1", **more)
    tale.now += 10.0


def hours_before_its_window(tale: Tale) -> None:
    changed(tale, window={"from": tale.rfc3339(-7_200.0), "to": tale.rfc3339(-10_000.0)})
    tale.tells(position=position(AT_HOME))


def foretold_before_its_window(tale: Tale) -> None:
    changed(tale, window={"from": tale.rfc3339(-7_200.0), "to": None})
    tale.tells(eta=ANNOUNCED | {"distance_m": None})


def fetched_before_its_window_but_not_next(tale: Tale) -> None:
    changed(tale, "picked_up", window={"from": tale.rfc3339(-7_200.0), "to": None})
    tale.tells(position=position(AT_HOME), stops_before=1)


def after_a_day(tale: Tale) -> None:
    tale.now += 25 * 3_600.0
    tale.tells(position=position(AT_HOME))


def a_day_after_its_window(tale: Tale) -> None:
    tale.now += 90_000.0
    changed(tale, window={"from": None, "to": tale.rfc3339(25 * 3_600.0)})
    tale.tells(trail=line(AT_HOME, AT_HOME))


def hidden_by_a_rule(tale: Tale) -> None:
    order = msgspec.json.decode(tale.records[2][2].body)  # type: ignore[union-attr]
    order["visibility"] = {"position": [{"stops": 1}, {"eta_s": 1200}]}
    tale.records[2][2].body = msgspec.json.encode(order)  # type: ignore[union-attr]
    tale.tells(position=position(AT_HOME), stops_before=2, eta=ANNOUNCED | {"distance_m": 9_000.0})


def by_the_whole_name(tale: Tale) -> None:
    tale.tells(driver={"name": "Aino Korhonen", "vehicle": "car"})


def by_the_last_name_elsewhere(tale: Tale) -> None:
    tale.tells(note="Courier Korhonen is near")


def of_another_stop(tale: Tale) -> None:
    tale.order("ord_2", "assigned", "drv_1", NEIGHBOUR)
    tale.tells(next_stop="Naapurikatu 7")


def by_a_revoked_link(tale: Tale) -> None:
    tale.call(
        "GET", "/v1/orders/ord_1/links", None, {"items": [{"id": "lnk_1", "url": f"http://here/t/{TOKEN}"}]}
    )
    tale.call("DELETE", "/v1/orders/ord_1/links/lnk_1", None, None)
    tale.tells(position=position(AT_HOME))


PLANTED: dict[Callable[[Tale], None], str] = {
    before_the_assignment: "Nothing of a driver before the assignment",
    after_the_end: "No whereabouts after the end",
    of_the_former_driver: "Never the former driver's whereabouts, nor anybody's but the driver's",
    driven_before_the_assignment: "A trail begins with the driver's place at the assignment, and not earlier",
    at_an_open_door: NEAR_A_DOOR,
    at_a_door_that_was_open: "What was driven past a hidden door is not shown later either",
    at_a_door_not_left_yet: NEAR_A_DOOR,
    at_a_door_that_was_taken_away: NEAR_A_DOOR,
    at_a_door_before_it_was_left: "What was driven past a hidden door is not shown later either",
    straight_past_a_door: STRAIGHT_PAST,
    by_the_distance: FAR_FROM_A_DOOR,
    by_the_distance_when_it_is_over: FAR_FROM_A_DOOR,
    hours_before_its_window: TOO_EARLY,
    foretold_before_its_window: TOO_EARLY,
    fetched_before_its_window_but_not_next: TOO_EARLY,
    after_a_day: "No whereabouts for an order that was open for too long",
    a_day_after_its_window: "No whereabouts for an order that was open for too long",
    hidden_by_a_rule: "The order's own visibility",
    by_the_whole_name: "Of the driver's name the first only, wherever it stands",
    by_the_last_name_elsewhere: "Of the driver's name the first only, wherever it stands",
    of_another_stop: "Never another customer's stops: no address and no number of an order on the same trip",
    by_a_revoked_link: "the link is revoked",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_found(plant: Callable[[Tale], None]) -> None:
    """Each rule's breach is named, and nothing else."""
    tale = begun()
    plant(tale)
    assert tale.broken() == [PLANTED[plant]]


@pytest.mark.parametrize(
    "house", [NEIGHBOUR, NEIGHBOUR | {"lat": HOME["lat"] + 0.0002, "lon": HOME["lon"]}], ids=["far", "house"]
)
def test_one_customers_doors_are_no_secret(house: Any) -> None:
    """Of the same phone number, or in one house: the driver may be shown at both."""
    tale = begun()
    mine, same = {"phone": "+358 40 1234567"}, {"phone": "00358-401234567"}
    changed(tale, customer=mine)
    tale.order("ord_2", "assigned", "drv_1", house, customer=same if house is NEIGHBOUR else None)
    tale.now += 10.0
    where = (house["lat"], house["lon"])
    for _ in range(4):
        tale.moves("drv_1", where)
    eta = ANNOUNCED | {"computed_at": tale.rfc3339(), "distance_m": 1.0}
    tale.tells(position=position(where), trail=line(AT_HOME, where), eta=eta)
    assert tale.broken() == []


def test_a_door_that_was_left_is_like_any_other() -> None:
    """Once the driver was said to be beyond, its street may be shown."""
    tale = begun()
    at_the_neighbours(tale, status="delivered")
    tale.moves("drv_1", ELSEWHERE)
    tale.now += 10.0
    tale.moves("drv_1", AT_THE_NEIGHBOUR)
    tale.tells(position=position(AT_THE_NEIGHBOUR), route=line(AT_THE_NEIGHBOUR, AT_HOME))
    assert tale.broken() == []


@pytest.mark.parametrize(("status", "minutes"), [("picked_up", 120), ("assigned", 59)])
def test_an_order_in_time_or_next_may_be_shown(status: str, minutes: int) -> None:
    """Within an hour of its window, or fetched and with nothing before it."""
    tale = begun()
    changed(tale, status, window={"from": tale.rfc3339(-60.0 * minutes), "to": None})
    tale.tells(position=position(AT_HOME), stops_before=0, eta=ANNOUNCED | {"distance_m": 1.0})
    assert tale.broken() == []


def test_what_is_on_its_way_is_allowed() -> None:
    """Between a request and its answer both what was and what will be may be told."""
    tale = begun()
    tale.order("ord_1", "delivered", "drv_1", HOME, "/v1/orders/ord_1/status")
    ended = tale.records[-1][2]
    assert isinstance(ended, Exchange)
    ended.answered_at += 5.0
    tale.tells(position=position(AT_HOME))
    assert tale.broken() == []


def test_a_driver_whose_words_are_not_understood_may_be_anywhere() -> None:
    """A format that is not read here, or a body that is no JSON: that driver may have been anywhere."""
    tale = begun()
    tale.call("POST", "/ingest/osmand?id=t-drv_1&gprmc=$GPRMC,1,A", None, None)
    tale.tells(position=position(ELSEWHERE))
    assert tale.broken() == []


def test_what_cannot_be_read_must_not_hold_a_position() -> None:
    """A line that breaks off into something else is not out of sight."""
    records: list[tuple[float, int, Record]] = [(1.0, 1, Unreadable(1.0, b'..{"position":{"lat":60.1}'))]
    assert [violation.rule for violation in Judge().hears(records)] == [
        "cannot be read, and tells a position"
    ]
