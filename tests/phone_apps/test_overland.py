"""Overland's batches, from Overland itself and from programs that send to Dawarich."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix
from tracker.messages import FIXES_PER_MESSAGE
from tracker.phone_apps import overland
from tracker.phone_apps.report import Kind, Report

AT = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)
PROPERTIES: dict[str, Any] = {
    "timestamp": "2026-01-31T12:34:56Z", "altitude": 12, "speed": 4, "course": 90, "horizontal_accuracy": 5,
    "vertical_accuracy": -1, "speed_accuracy": 0.5, "course_accuracy": -1, "motion": ["driving"],
    "battery_state": "charging", "battery_level": 0.8, "wifi": "", "device_id": "van7", "unique_id": "AB-12",
    "trip_id": "2026-01-31T12:00:00Z",
}  # fmt: skip


def feature(**more: object) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [24.94, 60.17]}
    return {"type": "Feature", "geometry": geometry, "properties": PROPERTIES | more}


def reports(*features: object, **more: object) -> list[Report]:
    return list(overland.parse(msgspec.json.encode({"locations": features, **more})))


def fix_of(**more: object) -> Any:
    [report] = reports(feature(**more))
    return report.readings[0]


def test_a_feature_is_a_fix() -> None:
    """Longitude comes first, speed is in m/s, the battery is a share."""
    assert fix_of() == Fix(AT, 60.17, 24.94, 5.0, 4.0, 90.0, 12.0, 0.8)


@pytest.mark.parametrize("at", ["2026-01-31T04:34:56-0800", "2026-01-31T14:34:56+02:00"])
def test_an_offset_may_lack_its_colon(at: str) -> None:
    """Overland's documentation has one without, GPSLogger sends one with it."""
    assert fix_of(timestamp=at).recorded_at == AT


def test_gpslogger_sends_percent() -> None:
    """It gives itself away by a misspelt name, or by a number that is no share."""
    assert fix_of(battery_level=83).battery == pytest.approx(0.83)
    assert fix_of(battery_level=1, deffered=0).battery == pytest.approx(0.01)
    assert fix_of(battery_level=1).battery == 1.0
    assert fix_of(battery_level=None).battery is None


def test_the_device_is_that_of_the_newest_position() -> None:
    """Whatever follows it in the batch."""
    [report] = reports(feature(battery_level=0.1), feature(battery_state="unplugged"), {"properties": {}})
    assert (report.device.battery, report.device.charging) == (0.8, False)
    assert (report.device.app, report.device_at) == ("Overland", AT)
    assert reports(feature(deffered=0, battery_state="unknown"))[0].device.app == "GPSLogger"


def test_other_features_do_not_fail_the_batch() -> None:
    """Visits, trips and log entries, some with a place; what is no feature at all."""
    visit = feature(action="visit", arrival_date="2026-01-31T12:00:00Z", departure_date=None)
    trip = {"type": "Feature", "geometry": None, "properties": {"type": "trip", "mode": "car"}}
    log = {"type": "Feature", "properties": {"action": "did_enter_background"}}
    bare = {"type": "Feature", "properties": PROPERTIES, "geometry": {"type": "Polygon", "coordinates": 7}}
    [report] = reports(visit, trip, log, bare, None, 17, "x", [], feature(), feature(timestamp="soon"))
    assert report.readings == [fix_of(), "malformed"]
    assert report.counts == {"other": 4, "unreadable": 4, "fix": 2}


def test_the_current_position_comes_first() -> None:
    """Then the batch, in parts."""
    current = feature(timestamp="2026-01-31T13:00:00Z")
    first, *rest = reports(*[feature()] * (FIXES_PER_MESSAGE + 1), current=current)
    assert [one.recorded_at.hour for one in first.readings if isinstance(one, Fix)] == [13]
    assert [len(report.readings) for report in rest] == [FIXES_PER_MESSAGE, 1]


def test_a_long_batch_begins_with_its_newest_position() -> None:
    """Which comes again at its end, as a duplicate, and is counted once."""
    newest = feature(timestamp="2026-01-31T13:00:00Z")
    first, *rest = reports(*[feature()] * FIXES_PER_MESSAGE, newest)
    assert [one.recorded_at.hour for one in first.readings if isinstance(one, Fix)] == [13]
    assert sum(len(report.readings) for report in rest) == FIXES_PER_MESSAGE + 1
    assert sum(report.counts.get("fix", 0) for report in (first, *rest)) == FIXES_PER_MESSAGE + 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b'{"locations":[]}', "empty"),
        (b"{}", "empty"),
        (b"{", "unreadable"),
        (b"[]", "unreadable"),
        (b"\xff", "unreadable"),
        (b'{"locations":7}', "unreadable"),
        (b'{"locations":' + b"[" * 200_000, "unreadable"),
        (b'{"locations":[' + b"0," * 1_100_000 + b"0]}", "unreadable"),
    ],
)
def test_the_rest_is_counted_by_kind(body: bytes, kind: Kind) -> None:
    """One of them with more values than a batch can have."""
    assert list(overland.parse(body)) == [Report([], {kind: 1})]


def test_one_bad_feature_does_not_cost_its_neighbours() -> None:
    """NaN, bytes that are not UTF-8, and costly numbers."""
    good = msgspec.json.encode(feature())
    costly = good.replace(b'"wifi":""', b'"wifi":[%s0]' % (b"8.5e-320," * 500))
    for bad in (
        good.replace(b'"wifi":""', b'"wifi":"\xe9"'),
        good.replace(b'"speed":4', b'"speed":4e0'),
        costly,
    ):
        [report] = overland.parse(b'{"locations":[%s,%s]}' % (bad, good))
        assert report.readings == [fix_of(), fix_of()]
    [report] = overland.parse(b'{"locations":[%s,%s]}' % (good.replace(b"60.17", b"NaN"), good))
    assert report.readings == ["not_a_number", fix_of()]


def test_the_answer_empties_the_queue() -> None:
    """With values that the app takes; never `off`, after which it would not ask again."""
    assert overland.reply() == b'{"result":"ok"}'
    for policy, send, every, metres in (
        (Policy(2, 5), 1, 1, 1),
        (Policy(), 5, 5, 10),
        (Policy(15, 25), 15, 10, 10),
    ):
        assert msgspec.json.decode(overland.reply(policy)) == {
            "result": "ok",
            "set": {
                "send_interval": f"{send}s",
                "main": {"min_time": f"{every}s", "min_distance": f"{metres}m"},
            },
        }
