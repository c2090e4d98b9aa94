"""The protocol of OsmAnd, as five apps speak it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from tracker.domain.tracks.fix import Fix
from tracker.phone_apps import osmand
from tracker.phone_apps.report import Report

AT = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)
NOW = AT + timedelta(seconds=2)
S = int(AT.timestamp())
KNOT = 1852 / 3600


def parsed(query: str = "", body: bytes = b"") -> Report:
    return osmand.parse(osmand.fields_of(dict(parse_qsl(query)), body), NOW)


def fix_of(query: str = "", body: bytes = b"") -> Any:
    [reading] = parsed(query, body).readings
    return reading


PLACE = f"lat=60.17&lon=24.94&timestamp={S}"
WHOLE = Fix(AT, 60.17, 24.94, 5.0, 10 * KNOT, 90.0, 12.0, 0.83)


def test_traccar_client_8_has_all_in_the_query_of_an_empty_post() -> None:
    """Knots, seconds and percent."""
    query = f"id=123&{PLACE}&speed=10&bearing=90&altitude=12&accuracy=5&batt=83&charge=true&alarm=sos"
    assert fix_of(query) == WHOLE


def test_traccar_client_10_sends_a_form() -> None:
    """Knots with two decimals; values are escaped."""
    form = f"id=tdt_x&{PLACE}&accuracy=5.0&altitude=12.0&speed=10.00&bearing=90.0&batt=83&charge=false"
    assert fix_of(body=form.encode()) == WHOLE
    assert (
        fix_of(body=f"timestamp=2026-01-31T12%3A34%3A56Z&lat=60%2E17&lon=24.94&x={'a' * 9}".encode()).lat
        == 60.17
    )
    assert osmand.device_id(osmand.fields_of({}, form.encode())) == "tdt_x"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"id=tdt_x&timestamp=1769862896&batt=80", "heartbeat"),
        (b"id=tdt_x&lat=&lon=&timestamp=1769862896", "heartbeat"),
        (b"id=tdt_x&notificationToken=abc", "heartbeat"),
        (b'{"lat":null,"lon":null,"batt":80}', "heartbeat"),
        (b'{"device_id":"tdt_x","location":{"event":"heartbeat","battery":{"level":0.5}}}', "heartbeat"),
        (b'{"location":{"coords":{"speed":3}}}', "heartbeat"),
        (b"lat=60.1&lon=24.9&valid=false", "heartbeat"),
        (b"", "empty"),
        (b"{", "unreadable"),
        (b"[1]", "unreadable"),
        (b'{"a":' * 50_000, "unreadable"),
    ],
)
def test_a_message_without_a_position_is_counted(body: bytes, kind: str) -> None:
    """Heartbeats and push tokens are no errors, nor is what cannot be read."""
    assert (parsed(body=body).readings, parsed(body=body).counts) == ([], {kind: 1})


def test_traccar_client_9_sends_json() -> None:
    """m/s, a share of the battery, ISO 8601 with milliseconds, and a copy for form parsers."""
    coords = {
        "latitude": 60.17,
        "longitude": 24.94,
        "accuracy": 5,
        "speed": 3.2,
        "heading": 90,
        "altitude": 12,
    }
    location = {
        "timestamp": "2026-01-31T12:34:56.789Z", "coords": coords, "is_moving": True, "odometer": 1234.5,
        "event": "motionchange", "battery": {"level": 0.85, "is_charging": False}, "extras": {},
        "activity": {"type": "in_vehicle"}, "_": "&id=48241179&lat=60.17&lon=24.94&",
    }  # fmt: skip
    body = msgspec.json.encode({"location": location, "device_id": "48241179"})
    at = AT + timedelta(milliseconds=789)
    assert fix_of(body=body) == Fix(at, 60.17, 24.94, 5.0, 3.2, 90.0, 12.0, 0.85)
    assert osmand.device_id(osmand.fields_of({}, body)) == "48241179"
    bare = msgspec.json.encode(
        {"location": {"coords": {"latitude": 60.17, "longitude": 24.94}, "battery": 7}}
    )
    assert fix_of(body=bare) == Fix(NOW, 60.17, 24.94)


def test_osmand_sends_milliseconds_and_metres_per_second() -> None:
    """Its floats have 32 bits; the URL says the unit of speed."""
    measured = "accuracy=5.0&altitude=12.0&speed=3.2&speed_unit=mps&bearing=90.0"
    query = f"lat=60.17&lon=24.94&timestamp={S}000&{measured}"
    assert fix_of(query) == Fix(AT, 60.17, 24.94, 5.0, 3.2, 90.0, 12.0)


def test_gpslogger_sends_its_own_names() -> None:
    """`%ALL` has the speed in m/s and in km/h and the time three times; `act` is always empty."""
    query = (
        "lat=60.17&lon=24.94&sat=9&desc=&alt=12.0&acc=5.0&dir=90.0&prov=gps&spd_kph=11.52&spd=3.2"
        f"&timestamp={S}&timeoffset=2026-01-31T14:34:56.000%2B02:00&time=2026-01-31T12:34:56.000Z"
        "&starttimestamp=1769860000&date=2026-01-31&batt=83&ischarging=false&aid=ab12&ser=&act=&filename=x"
        "&profile=Default&hdop=0.8&vdop=&pdop=&dist=120"
    )
    assert fix_of(query) == Fix(AT, 60.17, 24.94, 5.0, 3.2, 90.0, 12.0, 0.83)


def test_colota_sends_metres_per_second() -> None:
    """In a flat JSON object, with whole metres of accuracy."""
    body = {
        "lat": 60.17,
        "lon": 24.94,
        "acc": 5,
        "alt": 12,
        "vel": 3.2,
        "batt": 83,
        "bs": 1,
        "tst": S,
        "bear": 90.0,
    }
    assert fix_of(body=msgspec.json.encode(body)) == Fix(AT, 60.17, 24.94, 5.0, 3.2, 90.0, 12.0, 0.83)


@pytest.mark.parametrize(
    ("query", "speed"),
    [
        ("speed=10", 10 * KNOT),
        ("speed=10&speed_unit=kn", 10 * KNOT),
        ("speed=10&speed_unit=kmh", 10 / 3.6),
        ("speed=10&speed_unit=mps", 10),
        ("speed=10&speed_unit=mph", 10 * KNOT),
        ("spd_kph=36", 10),
        ("spd=10&speed_unit=kn", 10),
        ("speed=fast", None),
        ("speed=", None),
    ],
)
def test_a_speed_has_the_unit_that_is_named(query: str, speed: float | None) -> None:
    """Knots by default; an unknown unit changes nothing."""
    found = fix_of(f"{PLACE}&{query}").speed
    assert found == (None if speed is None else pytest.approx(speed))


@pytest.mark.parametrize(
    "time",
    [
        str(S), f"{S}.0", f"{S}000", "2026-01-31T12:34:56Z", "2026-01-31T14:34:56%2B02:00",
        "2026-01-31T14:34:56 02:00", "2026-01-31T07:34:56-0500", "2026-01-31 12:34:56",
        "2026-01-31T12:34:56.000Z",
    ],
)  # fmt: skip
def test_a_time_may_have_any_notation(time: str) -> None:
    """Without an offset it is UTC; a `+` that was not escaped is a space."""
    assert fix_of(f"lat=60.17&lon=24.94&timestamp={time}").recorded_at == AT


def test_a_position_without_a_time_is_of_now() -> None:
    """Also as one value, `location`."""
    assert fix_of("location=60.17,24.94") == Fix(NOW, 60.17, 24.94)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("lat=NaN&lon=24.94", "not_a_number"),
        ("lat={0}&lon={1}&timestamp={2}", "malformed"),
        ("lat=60.17", "malformed"),
        ("location=here", "malformed"),
        ("lat=60.17&lon=24.94&timestamp=tomorrow", "malformed"),
        ("lat=60.17&lon=24.94&timestamp=99999999999999999999", "malformed"),
    ],
)
def test_a_wrong_position_has_a_reason(query: str, reason: str) -> None:
    """Such as a template that the app has not filled in."""
    assert fix_of(query) == reason


def arrival(query: str) -> object:
    return parsed(f"{PLACE}&{query}").arrives_at


def test_the_next_stop_of_the_navigation_counts() -> None:
    """The next one on the way, else the destination; 0 is no route, and an old message says nothing."""
    later = AT + timedelta(minutes=10)
    ms = int(later.timestamp() * 1000)
    assert arrival(f"eta={ms + 60_000}&etfa={ms}") == later
    assert arrival(f"eta={ms}&etfa=0") == later
    assert arrival("eta=0&etfa=0") is None
    assert arrival("speed=3") is msgspec.UNSET
    old = f"lat=60.17&lon=24.94&timestamp={S - 300}&eta={ms}"
    assert parsed(old).arrives_at is msgspec.UNSET


@pytest.mark.parametrize(
    ("query", "charging"),
    [("charge=true", True), ("ischarging=false", False), ("bs=1", False), ("bs=3", True), ("bs=0", None)],
)
def test_charging_has_three_names(query: str, charging: bool | None) -> None:
    """Traccar Client's, GPSLogger's and Colota's; a heartbeat says it, too."""
    device = parsed(f"{query}&batt=83").device
    assert (device.battery, device.charging) == (0.83, charging)


def test_gpslogger_sends_nmea_to_opengts() -> None:
    """Degrees and minutes, knots, and a date of six digits; V is no position."""
    sentence = "$GPRMC,123456,A,6010.2000,N,02456.4000,W,10.0,90.0,310126,,*1B"
    found = fix_of(f"id=x&dev=x&acct=x&batt=83&code=0xF020&alt=12&gprmc={sentence}")
    assert (found.recorded_at, found.lat, found.lon) == (AT, pytest.approx(60.17), pytest.approx(-24.94))
    assert (found.speed, found.heading, found.battery) == (pytest.approx(10 * KNOT), 90.0, 0.83)
    assert fix_of("gprmc=" + sentence.replace(",N,", ",S,")).lat == pytest.approx(-60.17)
    assert parsed("gprmc=" + sentence.replace(",A,", ",V,")).counts == {"heartbeat": 1}
    assert fix_of("gprmc=$GPRMC,1") == "malformed"
    assert fix_of("gprmc=" + sentence.replace("310126", "990126")) == "malformed"
