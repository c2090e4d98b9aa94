"""OwnTracks' messages: whose units, epochs and other types have tripped servers before."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix
from tracker.phone_apps import owntracks

# As OwnTracks 2.5 for Android sends it.
MESSAGE: dict[str, Any] = {
    "_type": "location", "_id": "05b6f5bf", "acc": 13, "alt": 23, "batt": 62, "bs": 1, "cog": 56, "conn": "w",
    "created_at": 1733842246, "lat": 48.85833, "lon": 2.29513, "m": 1, "tid": "le",
    "topic": "owntracks/jane/phone", "tst": 1733842245, "vac": 15, "vel": 6,
}  # fmt: skip


def fix_of(**more: object) -> Any:
    """The reading of the message with these values; None removes one."""
    changed = {name: value for name, value in (MESSAGE | more).items() if value is not None}
    [reading] = owntracks.parse(msgspec.json.encode(changed)).readings
    return reading


def kind_of(body: bytes) -> str:
    report = owntracks.parse(body)
    assert report.readings == []
    [kind] = report.counts
    return kind


def test_a_location_is_a_fix() -> None:
    """Seconds, km/h, degrees and percent become a time, m/s, degrees and a share."""
    at = datetime(2024, 12, 10, 14, 50, 45, tzinfo=UTC)
    assert fix_of() == Fix(at, 48.85833, 2.29513, 13.0, 6 * (1 / 3.6), 56.0, 23.0, 0.62)
    assert owntracks.parse(msgspec.json.encode(MESSAGE)).counts == {"fix": 1}


def test_speed_zero_is_unknown() -> None:
    """Android sends 0 for no speed, so neither it nor the course counts."""
    assert (fix_of(vel=0).speed, fix_of(vel=0).heading) == (None, None)
    assert (fix_of(vel=None).speed, fix_of(vel=None).heading) == (None, None)


def test_colota_sends_metres_per_second_in_the_same_field() -> None:
    """So its URL says the unit."""
    report = owntracks.parse(msgspec.json.encode(MESSAGE | {"vel": 6.5}), "mps")
    assert isinstance(report.readings[0], Fix)
    assert report.readings[0].speed == 6.5


def test_overland_counts_seconds_from_2001() -> None:
    """Its OwnTracks mode uses Apple's reference date."""
    assert fix_of(tst=733842245 - 198_307_200 + 1).recorded_at.year == 2017
    assert fix_of(tst=1733842245 - 978_307_200) == fix_of()


@pytest.mark.parametrize(
    "more",
    [
        {"tst": 1733842245.0, "acc": 13.0, "batt": 62.0, "vel": 6.0},
        {"tst": "1733842245", "lat": "48.85833", "lon": "2.29513", "acc": "13", "batt": "62"},
        {"tst": 1733842245000},
        {"tst": "2024-12-10T14:50:45Z"},
        {"tst": "2024-12-10T16:50:45.000+0200"},
        {"image": "A" * 100_000, "inregions": ["home"], "nested": {"a": [{"b": {}}]}},
        {"_type": None},
        {"SSID": "caf\udce9"},
    ],
)
def test_numbers_and_times_may_have_any_notation(more: dict[str, Any]) -> None:
    """Floats, text, milliseconds, ISO 8601; a picture; no type; bytes that are not UTF-8."""
    changed = {name: value for name, value in (MESSAGE | more).items() if value is not None}
    ssid = changed.pop("SSID", "")
    body = msgspec.json.encode(changed | {"SSID": "caf?"}).replace(b"caf?", b"caf\xe9" if ssid else b"cafe")
    assert owntracks.parse(body).readings == [fix_of()]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"tst": None}, "malformed"),
        ({"tst": "soon"}, "malformed"),
        ({"tst": 1e300}, "malformed"),
        ({"lat": "north"}, "malformed"),
        ({"lat": True}, "malformed"),
        ({"lat": [48.8]}, "malformed"),
        ({"lon": None}, "malformed"),
    ],
)
def test_a_wrong_position_has_a_reason(more: dict[str, Any], reason: str) -> None:
    """It is rejected like one on the WebSocket."""
    assert fix_of(**more) == reason


def test_not_a_number_is_a_reason_of_its_own() -> None:
    """JSON has no NaN, but encoders write it."""
    body = msgspec.json.encode(MESSAGE).replace(b"48.85833", b"NaN")
    assert owntracks.parse(body).readings == ["not_a_number"]


def test_unknown_optional_values_do_not_cost_the_fix() -> None:
    """Missing, of a wrong type, or text."""
    fix = fix_of(acc=None, alt="high", cog={}, batt=None, vel="fast")
    assert (fix.accuracy, fix.altitude, fix.heading, fix.battery, fix.speed) == (None,) * 5


@pytest.mark.parametrize(
    "type_",
    [
        "transition", "waypoint", "waypoints", "status", "lwt", "card", "cmd", "steps", "beacon", "dump",
        "request", 7,
    ],
)  # fmt: skip
def test_other_types_are_counted(type_: object) -> None:
    """Also where they hold coordinates: a region is not where the driver is."""
    assert kind_of(msgspec.json.encode(MESSAGE | {"_type": type_})) == "other"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"_type":"encrypted","data":"MDEyMw=="}', "encrypted"),
        (b"[]", "unreadable"),
        (b"null", "unreadable"),
        (b"{", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b'{"a":' * 100_000, "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"_type":"location","tst":1733842245}', "heartbeat"),
        (msgspec.json.encode(MESSAGE | {"t": "p"}), "heartbeat"),
    ],
)
def test_the_rest_is_counted_by_kind(body: bytes, kind: str) -> None:
    """A ping has the present time and an old position, so it is no fix."""
    assert kind_of(body) == kind


def test_the_device_is_described() -> None:
    """Charging, full and unplugged; what the network is; a ping says it, too."""
    device = owntracks.parse(msgspec.json.encode(MESSAGE)).device
    assert (device.battery, device.charging, device.network, device.app) == (0.62, False, "wifi", "OwnTracks")
    for state, charging in ((0, None), (2.0, True), ("3", True), (None, None), ([], None)):
        assert owntracks.parse(msgspec.json.encode(MESSAGE | {"bs": state})).device.charging is charging
    offline = owntracks.parse(msgspec.json.encode(MESSAGE | {"t": "p", "conn": "o"}))
    assert (offline.readings, offline.device.network) == ([], "none")


def test_the_answer_is_a_list() -> None:
    """Of nothing, or of a command that sets intervals, and never the mode that the driver has chosen."""
    assert owntracks.reply() == b"[]"
    [command] = msgspec.json.decode(owntracks.reply(Policy(2, 5)))
    assert (command["_type"], command["action"]) == ("cmd", "setConfiguration")
    assert command["configuration"] == {
        "_type": "configuration",
        "moveModeLocatorInterval": 2,
        "locatorInterval": 2,
        "locatorDisplacement": 5,
    }
