"""Traccar: the JSON that Traccar Client 9 sends, and the JSON that a Traccar server forwards.

The client measures speed in m/s, the server in knots.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from tracker.domain.driver.device_state import DeviceReport
from tracker.phone_apps.report import Report, of_reading, without_fix
from tracker.phone_apps.values import METRES_PER_S, number, read_object, reading, scaled, share, time, truth


class Forwarded(NamedTuple):
    """A message of a Traccar server: whose it is, by the driver's `reference`, and what it holds."""

    reference: str | None
    report: Report


UNREADABLE: Final = Forwarded(None, without_fix("unreadable"))


def parse_client(location: dict[str, Any], now: datetime) -> Report:
    """Return what `location` of Traccar Client holds; a heartbeat has no coordinates."""
    coords, battery = location.get("coords"), location.get("battery")
    device = _client_device(battery if isinstance(battery, dict) else {})
    if not isinstance(coords, dict) or coords.get("latitude") is None or coords.get("longitude") is None:
        return without_fix("heartbeat", device)
    given = location.get("timestamp")
    return of_reading(
        reading(
            now if given is None else time(given),
            coords["latitude"],
            coords["longitude"],
            accuracy=coords.get("accuracy"),
            speed=number(coords.get("speed")),
            heading=coords.get("heading"),
            altitude=coords.get("altitude"),
            battery=device.battery,
        ),
        device=device,
    )


def _client_device(battery: dict[str, Any]) -> DeviceReport:
    level, charging = number(battery.get("level")), truth(battery.get("is_charging"))
    return DeviceReport(battery=level, charging=charging, app="Traccar Client")


def parse_forwarded(body: bytes) -> Forwarded:
    """Return what a Traccar server forwards. A position that is outdated or invalid is a heartbeat."""
    message = read_object(body)
    if message is None:
        return UNREADABLE
    position, device = message.get("position"), message.get("device")
    if not isinstance(position, dict) or not isinstance(device, dict):
        return Forwarded(None, without_fix("other"))  # an event, say
    reference = device.get("uniqueId")
    report = _report(position)
    return Forwarded(str(reference) if isinstance(reference, str | int) else None, report)


def _report(position: dict[str, Any]) -> Report:
    attributes = position.get("attributes")
    measured = attributes if isinstance(attributes, dict) else {}
    device = DeviceReport(
        battery=share(measured.get("batteryLevel")), charging=truth(measured.get("charge")), app="Traccar"
    )
    if position.get("outdated") is True or position.get("valid") is False or "latitude" not in position:
        return without_fix("heartbeat", device)
    return of_reading(
        reading(
            time(position.get("fixTime") or position.get("deviceTime")),
            position["latitude"],
            position.get("longitude"),
            accuracy=position.get("accuracy") or None,  # 0 stands for unknown
            speed=scaled(position.get("speed"), METRES_PER_S["kn"]),
            heading=position.get("course"),
            altitude=position.get("altitude"),
            battery=device.battery,
        ),
        device=device,
    )
