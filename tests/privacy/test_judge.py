"""The judge of what customers are told: made-up recordings, one honest, and one for each rule broken."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.privacy.exchanges import Exchange, Reading, Record, Said, Unreadable
from tests.privacy.judge import Judge

HOME = {"lat": 60.1700, "lon": 24.9400, "address": "Kotikatu 1"}
NEIGHBOUR = {"lat": 60.1750, "lon": 24.9500, "address": "Naapurikatu 7"}
AT_HOME, AT_THE_NEIGHBOUR, ELSEWHERE = (60.1703, 24.9403), (60.1751, 24.9501), (60.1600, 24.9200)
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

    def order(self, order_id: str, status: str, driver_id: str | None, dropoff: Any, path: str = "") -> None:
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
        }
        self.call("POST", path or "/v1/orders", {"visibility": ALWAYS}, answer)

    def moves(self, driver_id: str, *places: tuple[float, float]) -> None:
        fixes = [{"lat": lat, "lon": lon} for lat, lon in places]
        token = f"Bearer t-{driver_id}"
        self.call("POST", "/v1/drivers/fixes", {"fixes": fixes}, {}, authorization=token)

    def tells(self, **fields: Any) -> None:
        """The customer of ord_1, by WebSocket."""
        self.now += 1.0
        now = datetime.fromtimestamp(self.now, UTC).isoformat()
        text = msgspec.json.encode({"type": "update", "now": now, "cursor": "c", **fields}).decode()
        self.records.append((self.now, 1, Said(self.now, False, f"/v1/track/{TOKEN}/stream", {}, text)))

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


def at_a_door_that_was_open(tale: Tale) -> None:
    tale.order("ord_2", "assigned", "drv_1", NEIGHBOUR)
    tale.now += 10.0
    tale.moves("drv_1", AT_THE_NEIGHBOUR)
    tale.now += 10.0
    tale.order("ord_2", "delivered", "drv_1", NEIGHBOUR, "/v1/orders/ord_2/status")
    tale.tells(trail=line(AT_HOME, AT_THE_NEIGHBOUR))


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
    at_an_open_door: "Nothing within 100 m of another customer's open dropoff on the same trip",
    at_a_door_that_was_open: "What was driven past an open door is not shown later either",
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
    """A phone app's format, or a body that is no JSON: nothing is claimed about where that driver was."""
    tale = begun()
    tale.call("POST", "/ingest/osmand?id=t-drv_1&lat=60.16&lon=24.92", None, None)
    tale.tells(position=position(ELSEWHERE))
    assert tale.broken() == []


def test_what_cannot_be_read_must_not_hold_a_position() -> None:
    """A line that breaks off into something else is not out of sight."""
    records: list[tuple[float, int, Record]] = [(1.0, 1, Unreadable(1.0, b'..{"position":{"lat":60.1}'))]
    assert [violation.rule for violation in Judge().hears(records)] == [
        "cannot be read, and tells a position"
    ]


# --- from bytes to records

ASKED = b"GET /v1/track/x/%s HTTP/1.1\r\nHost: here\r\n\r\n"


def read(*said: tuple[bool, bytes]) -> list[Record]:
    """One byte at a time, as the worst network would bring it."""
    reading = Reading()
    pieces = [(0.0, by_client, bytes([byte])) for by_client, data in said for byte in data]
    return list(reading.read(pieces))


def test_an_answer_is_read_with_its_request() -> None:
    """With a length, in chunks, one after the other on one line."""
    answers = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    )
    records = read(*(part for answer in answers for part in ((True, ASKED % b"poll"), (False, answer))))
    assert [(one.path, one.status, one.answer) for one in records if isinstance(one, Exchange)] == [
        ("/v1/track/x/poll", status, body) for status, body in [(200, b"{}"), (200, b"{}"), (204, b"")]
    ]


def test_events_are_read_as_they_come() -> None:
    """A stream has no end, so nothing may wait for it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b"event: update\nid: 1\ndata: {}\n\n"
    records = read((True, ASKED % b"events"), (False, head + b"%x\r\n%b\r\n" % (len(event), event)))
    assert [one.text for one in records if isinstance(one, Said)] == ["{}"]


def test_sockets_are_read_in_both_directions() -> None:
    """Text and binary frames, in fragments too, masked by clients."""
    upgraded = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    frames = b"\x01\x01{\x80\x01}" + b"\x82\x01\x80"
    masked = b"\x81\x82\x00\x00\x00\x00{}"
    records = read((True, ASKED % b"stream"), (False, upgraded + frames), (True, masked))
    said = [(one.by_client, one.text) for one in records if isinstance(one, Said)]
    assert said == [(False, "{}"), (False, b"\x80"), (True, "{}")]
