"""The judge on duty and breaks: made-up recordings, honest ones, and one for each rule and way broken."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.privacy.duty_rules import FOUND_OFF_DUTY
from tests.privacy.exchanges import Exchange, Logged, Published, Record, Said
from tests.privacy.test_judge import ANNOUNCED, AT_HOME, Tale, begun, line, position

SLEEPS_AT = (60.16871, 24.93453)  # the driver's own home
LUNCH = (60.16512, 24.92347)
NOBODY_WORKS = "No whereabouts, and no distance, while the driver is off duty or on a break"
NOT_LATER = "What was recorded off duty or on a break is not shown later either"
KEEPS_ETA = "A break leaves the customer their ETA"
NOT_OTHERS = "Never the former driver's whereabouts, nor anybody's but the driver's"


def duty(tale: Tale, *, on: bool = True, on_break: bool = False) -> None:
    tale.call("POST", "/v1/drivers/drv_1/duty", {"on": on, "on_break": on_break}, {"id": "drv_1"})
    tale.now += 3.0


def records_at(tale: Tale, place: tuple[float, float], ago: float = 0.0) -> None:
    """A fix with its time, which says whether the driver worked then."""
    tale.now += 1.0
    fix = {"lat": place[0], "lon": place[1], "recorded_at": tale.rfc3339(ago)}
    tale.call("POST", "/v1/drivers/fixes", {"fixes": [fix]}, {}, authorization="Bearer t-drv_1")


def was_off_duty() -> Tale:
    """A driver who was at home meanwhile, and whose phone said so."""
    tale = begun()
    duty(tale, on=False)
    records_at(tale, SLEEPS_AT)
    tale.now += 3.0
    return tale


def shown_off_duty(tale: Tale) -> None:
    tale.tells(position=position(AT_HOME))


def on_a_break(tale: Tale) -> None:
    duty(tale, on_break=True)
    tale.tells(route=line(AT_HOME, LUNCH))


def by_a_distance(tale: Tale) -> None:
    duty(tale, on_break=True)
    tale.tells(eta=ANNOUNCED | {"distance_m": 612.4})


def where_lunch_was(tale: Tale) -> None:
    duty(tale, on_break=True)
    records_at(tale, LUNCH)
    tale.now += 3.0
    duty(tale)
    tale.tells(trail=line(AT_HOME, LUNCH))


def where_lunch_was_by_a_backlog(tale: Tale) -> None:
    duty(tale, on_break=True)
    tale.now += 20.0
    duty(tale)
    records_at(tale, LUNCH, ago=10.0)
    tale.tells(position=position(LUNCH))


def without_an_eta(tale: Tale) -> None:
    tale.tells(eta=ANNOUNCED | {"distance_m": 612.4})
    duty(tale, on_break=True)
    tale.tells(visibility="hidden", position=None, eta=None)


PLANTED: dict[Callable[[Tale], None], str] = {
    on_a_break: NOBODY_WORKS,
    by_a_distance: NOBODY_WORKS,
    where_lunch_was: NOT_LATER,
    where_lunch_was_by_a_backlog: NOT_LATER,
    without_an_eta: KEEPS_ETA,
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_found(plant: Callable[[Tale], None]) -> None:
    """Each rule's breach is named, and nothing else."""
    tale = begun()
    plant(tale)
    assert tale.broken() == [PLANTED[plant]]


def test_nothing_is_shown_off_duty() -> None:
    """Nor afterwards, whatever the driver's app sends late: not even the merchant sees that place."""
    tale = was_off_duty()
    shown_off_duty(tale)
    assert tale.broken() == [NOBODY_WORKS]
    tale = was_off_duty()
    duty(tale)
    tale.tells(position=position(SLEEPS_AT))
    assert tale.broken() == [NOT_OTHERS, NOT_LATER, FOUND_OFF_DUTY]


LAT, LON = SLEEPS_AT
PLACE = {"lat": LAT + 1e-7, "lon": LON - 1e-7, "recorded_at": "2026-11-22T16:00:00Z"}


def answered(
    path: str, answer: bytes | Any, kind: str = "application/json", **headers: str
) -> Callable[..., Record]:
    content = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
    return lambda at: Exchange("GET", path, {}, at, b"", 200, {"content-type": kind, **headers}, at, content)


LEAKS: dict[str, Callable[[float], Record]] = {
    "as the last fix": answered("/v1/drivers/drv_1", {"id": "drv_1", "last_fix": PLACE}),
    "in GeoJSON": answered("/v1/orders/ord_1/track.geojson", {"geometry": {"coordinates": [[LON, LAT]]}}),
    "in GPX": answered(
        "/v1/orders/ord_1/track.gpx", b'<trkpt lat="%.7f" lon="%.7f"/>' % SLEEPS_AT, "text/xml"
    ),
    "in CSV": answered(
        "/v1/drivers/me/track.csv", b"2026-11-22T16:00:00Z,%.5f,%.5f\n" % SLEEPS_AT, "text/csv"
    ),
    "in NDJSON": answered("/v1/drivers/me/track.ndjson", msgspec.json.encode(PLACE), "application/x-ndjson"),
    "in an error": answered("/v1/drivers/fixes", {"detail": "60.168710, 24.934530 is too old"}),
    "in a metric": answered("/metrics", b'tracker_last{lat="60.16871",lon="24.93453"} 1.0', "text/plain"),
    "in a header": answered("/v1/drivers/me", {}, **{"x-place": "60.16871,24.93453"}),
    "to the driver": lambda at: Said(
        at, False, "/v1/drivers/stream", {}, f'{{"type":"ack","lat":{LAT},"lon":{LON}}}'
    ),
    "to the driver, packed": lambda at: Said(
        at, False, "/v1/drivers/stream", {}, msgspec.msgpack.encode({"type": "ack", "at": [LAT, LON]})
    ),
    "to a broker": lambda at: Published(at, True, "tracker/drv_1/ack", msgspec.json.encode(PLACE)),
    "in the log": lambda at: Logged(at, b'{"event":"fix_discarded","at":[24.934531, 60.168709]}'),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_place_that_was_recorded_off_duty_is_found(leak: str) -> None:
    """In each format, in either order of the two numbers, and to anybody."""
    tale = was_off_duty()
    tale.records.append((tale.now, 2, LEAKS[leak](tale.now)))
    assert tale.broken() == [FOUND_OFF_DUTY]


@pytest.mark.parametrize("leak", LEAKS)
def test_what_was_recorded_on_duty_is_the_merchants(leak: str) -> None:
    """The same words are honest if the driver worked there, on a break, too."""
    tale = begun()
    duty(tale, on_break=True)
    records_at(tale, SLEEPS_AT)
    tale.records.append((tale.now, 2, LEAKS[leak](tale.now)))
    assert tale.broken() == []


def test_honest_words_on_a_break_and_after_it() -> None:
    """The ETA stays, without a distance; back at work the driver is shown again."""
    tale = begun()
    tale.tells(eta=ANNOUNCED | {"distance_m": 612.4}, position=position(AT_HOME))
    duty(tale, on_break=True)
    tale.tells(visibility="hidden", position=None, route=None, eta=ANNOUNCED | {"distance_m": None})
    duty(tale)
    records_at(tale, AT_HOME)
    tale.tells(position=position(AT_HOME), eta=ANNOUNCED | {"distance_m": 9.0})
    assert tale.broken() == []


def test_a_change_on_the_socket_counts_with_its_ack() -> None:
    """Refused, it changes nothing; without an answer both are possible."""
    for answer, broken in (("ack", [NOBODY_WORKS]), ("error", []), (None, [])):
        tale = begun()
        for by_client, message in ((True, {"type": "duty", "on": False}), (False, {"type": answer})):
            tale.now += 1.0
            text = msgspec.json.encode({"id": 7, **message}).decode()
            headers = {"authorization": "Bearer t-drv_1"}
            if message["type"] is not None:
                said = Said(tale.now, by_client, "/v1/drivers/stream", headers, text)
                tale.records.append((tale.now, 3, said))
        tale.now += 5.0
        shown_off_duty(tale)
        assert tale.broken() == broken


def test_of_a_wrong_clock_nothing_is_certain() -> None:
    """The service corrects it, the judge does not."""
    tale = begun()
    duty(tale, on=False)
    records_at(tale, SLEEPS_AT, ago=-600.0)
    tale.now += 3.0
    duty(tale)
    tale.tells(position=position(SLEEPS_AT))
    assert tale.broken() == []


PHONES: dict[str, Callable[[Tale, tuple[float, float], str], None]] = {
    "OwnTracks": lambda tale, at, time: tale.call(
        *(
            "POST",
            "/ingest/owntracks",
            {"_type": "location", "lat": at[0], "lon": at[1], "tst": tale.now},
            [],
        ),
        authorization="Bearer t-drv_1",
    ),
    "OsmAnd": lambda tale, at, time: tale.call(
        "POST",
        f"/ingest/osmand/t-drv_1?lat={at[0]}&lon={at[1]}&timestamp={tale.now}",
        None,
        None,
    ),
    "Overland": lambda tale, at, time: tale.call(
        "POST",
        "/ingest/overland?token=t-drv_1",
        {"locations": [{"geometry": {"coordinates": [at[1], at[0]]}, "properties": {"timestamp": time}}]},
        None,
    ),
    "Traccar": lambda tale, at, time: tale.call(
        "POST",
        "/ingest/traccar",
        {
            "position": {"fixTime": time, "latitude": at[0], "longitude": at[1]},
            "device": {"uniqueId": "van"},
        },
        None,
    ),
    "MQTT": lambda tale, at, time: tale.records.append(
        (
            tale.now,
            4,
            Published(
                tale.now,
                False,
                "owntracks/drv_1/phone",
                msgspec.json.encode({"_type": "location", "lat": at[0], "lon": at[1], "tst": tale.now}),
            ),
        )
    ),
}


@pytest.mark.parametrize("app", PHONES)
def test_the_formats_of_phone_apps_are_read(app: str) -> None:
    """On duty their place may be shown; off duty it is the driver's secret."""
    tale = begun()
    names = {"id": "drv_1", "name": "Aino Korhonen", "display_name": None, "reference": "van"}
    tale.call("PATCH", "/v1/drivers/drv_1", {"reference": "van"}, names)
    tale.now += 1.0
    PHONES[app](tale, LUNCH, tale.rfc3339())
    tale.now += 1.0
    tale.tells(position=position(LUNCH))
    assert tale.broken() == []
    tale.tells(position=position((60.1600, 24.9000)))
    assert tale.broken() == [NOT_OTHERS]
    tale.records.pop()
    duty(tale, on=False)
    tale.now += 5.0
    PHONES[app](tale, SLEEPS_AT, tale.rfc3339())
    tale.records.append((tale.now, 2, LEAKS["as the last fix"](tale.now)))
    assert tale.broken() == [FOUND_OFF_DUTY]
