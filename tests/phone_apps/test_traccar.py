"""What a Traccar server forwards."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tracker.domain.tracks.fix import Fix
from tracker.phone_apps import traccar

POSITION: dict[str, Any] = {
    "id": 12345, "attributes": {"batteryLevel": 85, "distance": 15.4, "motion": True}, "deviceId": 10,
    "protocol": "gt06", "serverTime": "2026-01-31T12:35:00.000+00:00", "outdated": False, "valid": True,
    "deviceTime": "2026-01-31T12:34:57.000+00:00", "fixTime": "2026-01-31T12:34:56.000+00:00",
    "latitude": 60.17, "longitude": 24.94, "altitude": 12.0, "speed": 10.0, "course": 90.0, "address": None,
    "accuracy": 0.0, "network": None, "geofenceIds": None,
}  # fmt: skip
DEVICE = {"id": 10, "name": "Van", "uniqueId": "350000000000001", "status": "online", "attributes": {}}


def parsed(**more: object) -> traccar.Forwarded:
    return traccar.parse_forwarded(msgspec.json.encode({"position": POSITION | more, "device": DEVICE}))


def test_a_position_is_a_fix_of_its_device() -> None:
    """Knots, percent, the time of the fix; an accuracy of 0 is unknown."""
    reference, report = parsed()
    assert reference == "350000000000001"
    at = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)
    assert report.readings == [Fix(at, 60.17, 24.94, None, 10 * (1852 / 3600), 90.0, 12.0, 0.85)]


def test_a_position_that_is_not_new_is_a_heartbeat() -> None:
    """Traccar repeats the last one when a device reports without a position."""
    for more in ({"outdated": True}, {"valid": False}):
        assert parsed(**more).report.counts == {"heartbeat": 1}


def test_wrong_values_have_a_reason() -> None:
    """The device is still named."""
    for more in ({"latitude": "x"}, {"fixTime": None, "deviceTime": None}, {"longitude": None}):
        assert parsed(**more).report.readings == ["malformed"]
    assert parsed(attributes=None, accuracy="7").report.readings[0].accuracy == 7.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "unreadable"),
        (b"[]", "unreadable"),
        (b"{}", "other"),
        (msgspec.json.encode({"event": {"type": "deviceOnline"}, "device": DEVICE}), "other"),
        (msgspec.json.encode({"position": {}, "device": DEVICE}), "heartbeat"),
    ],
)
def test_the_rest_is_counted_by_kind(body: bytes, kind: str) -> None:
    """Events and what cannot be read."""
    assert traccar.parse_forwarded(body).report.counts == {kind: 1}
