"""OsmAnd's protocol: named values in the query string, a form or a JSON object.

OsmAnd, Traccar Client, GPSLogger and Colota speak it, with names and units of their own. A plain `speed` is
in knots, as Traccar reads it, unless `speed_unit` says otherwise.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from tracker.domain.driver.device_state import DeviceReport
from tracker.phone_apps import gpslogger, traccar
from tracker.phone_apps.report import Report, of_reading, without_fix
from tracker.phone_apps.values import (
    METRES_PER_S,
    SpeedUnit,
    number,
    read_object,
    reading,
    scaled,
    share,
    speed_unit,
    time,
    truth,
)

MOST_FIELDS: Final = 100  # of a form
ETA_IS_CURRENT: Final = timedelta(seconds=60)  # an older message comes from the app's queue

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {  # of each value, the ones that apps use
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "longitude"),
    "at": ("timestamp", "tst", "time", "timeoffset"),
    "speed": ("speed",),
    "speed_mps": ("spd", "vel", "speed_mps"),  # GPSLogger, Colota
    "speed_kmh": ("spd_kph",),
    "heading": ("bearing", "heading", "course", "dir", "bear", "cog"),
    "accuracy": ("accuracy", "acc"),  # not `hdop`: some apps send metres in it, others its own unit
    "altitude": ("altitude", "alt"),
    "battery": ("batt", "battery"),
}
_ABSENT: Final = (None, "")
_SLOTS: Final = {name: slot for slot, names in _NAMES.items() for name in names}


def fields_of(query: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """Return the values of a request: those of the query string and of the body. None: an unreadable body."""
    content = body.strip()
    if content[:1] in {b"{", b"["}:
        decoded = read_object(content)
        return None if decoded is None else {**query, **decoded}
    return {**query, **_form(content.decode(errors="replace"))}


def _form(text: str) -> dict[str, str]:
    """Decode a form. `parse_qsl` takes five times as long."""
    pairs = [pair.partition("=") for pair in text.split("&", MOST_FIELDS)[:MOST_FIELDS]]
    if "%" in text or "+" in text:
        return {name: unquote_plus(value) for name, _, value in pairs if name}
    return {name: value for name, _, value in pairs if name}


def parse(fields: Mapping[str, Any] | None, now: datetime) -> Report:
    """Return what a request holds. *now* is the time of a position without one."""
    if fields is None:
        return without_fix("unreadable")
    if isinstance(location := fields.get("location"), dict):
        return traccar.parse_client(location, now)
    values = {
        slot: value for name, value in fields.items() if (slot := _SLOTS.get(name)) and value not in _ABSENT
    }
    if "gprmc" in fields:
        return gpslogger.parse_gprmc(str(fields["gprmc"]), battery=values.get("battery"))
    if isinstance(location, str) and "lat" not in values:
        values["lat"], _, values["lon"] = location.partition(",")
    if not fields:
        return without_fix("empty")
    device = DeviceReport(battery=share(values.get("battery")), charging=_charging(fields))
    if not values.keys() & {"lat", "lon"} or truth(fields.get("valid")) is False:
        return without_fix("heartbeat", device)
    at = time(values["at"]) if "at" in values else now
    is_current = at is not None and now - at < ETA_IS_CURRENT
    fix = reading(
        at,
        values.get("lat"),
        values.get("lon"),
        accuracy=values.get("accuracy"),
        speed=_speed(values, speed_unit(fields.get("speed_unit"))),
        heading=values.get("heading"),
        altitude=values.get("altitude"),
        battery=device.battery,
    )
    return of_reading(fix, _arrival(fields) if is_current else msgspec.UNSET, device)


def _charging(fields: Mapping[str, Any]) -> bool | None:
    """Return what Traccar Client and GPSLogger say, or Colota: 2 is charging and 3 full."""
    for name in ("charge", "ischarging"):
        if (found := truth(fields.get(name))) is not None:
            return found
    state = number(fields.get("bs"))
    return None if not state else state >= 2.0


def device_id(fields: Mapping[str, Any] | None) -> str | None:
    """Return what the app calls its device, where a driver's token can stand."""
    for name in ("id", "deviceid", "device_id"):
        if fields and isinstance(found := fields.get(name), str) and found:
            return found
    return None


def _speed(values: Mapping[str, Any], unit: SpeedUnit | None) -> float | None:
    """Return m/s. *unit* is that of `speed`; other names say their own."""
    if "speed_mps" in values:
        return scaled(values["speed_mps"], 1.0)
    if "speed_kmh" in values:
        return scaled(values["speed_kmh"], METRES_PER_S["kmh"])
    return scaled(values.get("speed"), METRES_PER_S[unit or "kn"])


def _arrival(fields: Mapping[str, Any]) -> datetime | None | msgspec.UnsetType:
    """Return OsmAnd's arrival time at the next stop: the next intermediate one, else the destination."""
    if "eta" not in fields and "etfa" not in fields:
        return msgspec.UNSET
    for name in ("etfa", "eta"):
        if number(fields.get(name)):
            return time(fields[name])
    return None
