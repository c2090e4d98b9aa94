"""Overland's batches of GeoJSON features, which Dawarich's senders also use.

Coordinates are longitude first. Speeds are whole m/s. Negative numbers stand for unknown.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from tracker.domain.driver.device_state import DeviceReport
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Fix
from tracker.messages import FIXES_PER_MESSAGE
from tracker.phone_apps.report import SAYS_NOTHING, Kind, Reading, Report, without_fix
from tracker.phone_apps.values import number, read_object, reading, share, time

MOST_VALUES: Final = 1_000_000  # in a body: 40,000 features of 25
MOST_FEATURE_BYTES: Final = 16_384  # a larger one is no position
# The app takes these values only. It also takes "off" for `send_interval`, after which it asks no more.
SEND_INTERVAL_S: Final = (1, 5, 10, 15, 30)
MIN_TIME_S: Final = (1, 5, 10, 30)
MIN_DISTANCE_M: Final = (1, 10, 50)
GPSLOGGER_SIGN: Final = "deffered"  # it misspells the name of this property
_CHARGING: Final = {"charging": True, "full": True, "unplugged": False}

_features: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Envelope(msgspec.Struct):
    locations: msgspec.Raw = msgspec.Raw(b"[]")
    current: msgspec.Raw = msgspec.Raw(b"null")


_envelope: Final = msgspec.json.Decoder(_Envelope)


def parse(body: bytes) -> Iterator[Report]:
    """Yield what a body holds, in parts that can be stored one after the other.

    A long one begins with its newest position, so that the live marker is right before the rest is stored.
    """
    if not body.strip():
        yield without_fix("empty")
        return
    found = _open(body)
    if found is None:
        yield without_fix("unreadable")
        return
    features, current = found
    if current is not None:
        yield _report([current])
    elif len(features) > FIXES_PER_MESSAGE:
        yield Report(_report(features[-1:]).readings, {})  # comes again with its neighbours, as a duplicate
    for first in range(0, len(features), FIXES_PER_MESSAGE):
        yield _report(features[first : first + FIXES_PER_MESSAGE])
    if not features and current is None:
        yield without_fix("empty")


def reply(policy: Policy | None = None) -> bytes:
    """Return the answer that empties the app's queue. *policy* sets its intervals; None leaves them."""
    if policy is None:
        return b'{"result":"ok"}'
    send, every = (_at_most(choices, policy.interval_s) for choices in (SEND_INTERVAL_S, MIN_TIME_S))
    main = {"min_time": f"{every}s", "min_distance": f"{_at_most(MIN_DISTANCE_M, policy.min_move_m)}m"}
    return msgspec.json.encode({"result": "ok", "set": {"send_interval": f"{send}s", "main": main}})


def _at_most(choices: tuple[int, ...], wanted: float) -> int:
    """Return the largest choice up to *wanted*; the smallest if all are larger."""
    return max((choice for choice in choices if choice <= wanted), default=choices[0])


def _open(body: bytes) -> tuple[Sequence[msgspec.Raw], msgspec.Raw | None] | None:
    """Return the features, undecoded, and the current one; None if the body has not this form."""
    if body.count(b",") + body.count(b"[") > MOST_VALUES:
        return None
    try:
        envelope = _envelope.decode(body)
        features = _features.decode(envelope.locations)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _open_broken(body)
    return features, envelope.current if bytes(envelope.current)[:1] == b"{" else None


def _open_broken(body: bytes) -> tuple[Sequence[msgspec.Raw], msgspec.Raw | None] | None:
    """Open a body that has NaN, bytes that are not UTF-8, or a wrong value in the place of a list."""
    message = read_object(body)
    if message is None or not isinstance(message.get("locations"), list):
        return None
    return [
        msgspec.Raw(json.dumps(one).encode())  # with NaN, to be rejected by name
        for one in message["locations"]
    ], None


def _report(features: Sequence[msgspec.Raw]) -> Report:
    readings: list[Reading] = []
    counts: dict[Kind, int] = {}
    device = SAYS_NOTHING
    for raw in features:
        found = _position(bytes(raw))
        kind: Kind = found if isinstance(found, str) else "fix"
        counts[kind] = counts.get(kind, 0) + 1
        if not isinstance(found, str):
            readings.append(_reading(*found))
            device = _device(found[1])
    last = readings[-1] if readings else None
    device_at = last.recorded_at if isinstance(last, Fix) else None
    return Report(readings, counts, device=device, device_at=device_at)


def _position(raw: bytes) -> tuple[list[Any], dict[str, Any]] | Kind:
    """Return the coordinates and properties of a position, or what else it is: a visit, trip or log entry."""
    feature = read_object(raw) if len(raw) <= MOST_FEATURE_BYTES else None
    if feature is None:
        return "unreadable"
    properties, geometry = feature.get("properties"), feature.get("geometry")
    if not isinstance(properties, dict) or "action" in properties or "type" in properties:
        return "other"
    place = geometry.get("coordinates") if isinstance(geometry, dict) else None
    return (place, properties) if isinstance(place, list) and len(place) >= 2 else "other"


def _reading(place: list[Any], properties: dict[str, Any]) -> Reading:
    return reading(
        time(properties.get("timestamp")),
        place[1],
        place[0],
        accuracy=properties.get("horizontal_accuracy"),
        speed=number(properties.get("speed")),
        heading=properties.get("course"),
        altitude=properties.get("altitude"),
        battery=_battery(properties),
    )


def _device(properties: dict[str, Any]) -> DeviceReport:
    charging = _CHARGING.get(str(properties.get("battery_state")))
    app = "GPSLogger" if GPSLOGGER_SIGN in properties else "Overland"
    return DeviceReport(battery=_battery(properties), charging=charging, app=app)


def _battery(properties: dict[str, Any]) -> float | None:
    """Return the level as 0..1; GPSLogger sends percent."""
    level = number(properties.get("battery_level"))
    is_percent = level is not None and (level > 1.0 or GPSLOGGER_SIGN in properties)
    return share(level) if is_percent else level
