"""OwnTracks: one JSON object in each message, over HTTP or MQTT; also Colota's and Overland's imitations.

Its speeds are whole km/h, and 0 stands for unknown too. Colota writes m/s in the same field.
"""

from typing import Any, Final

import msgspec

from tracker.domain.driver.device_state import DeviceReport
from tracker.domain.reporting_policy import Policy
from tracker.phone_apps.report import Report, of_reading, without_fix
from tracker.phone_apps.values import (
    METRES_PER_S,
    SpeedUnit,
    read_object,
    reading,
    scaled,
    share,
    time,
)

_CHARGING: Final = {"1": False, "2": True, "3": True}  # 3 is full, 0 unknown
_NETWORKS: Final = {"w": "wifi", "m": "mobile", "o": "none"}
PING: Final = "p"  # repeats the last position with the present time


def parse(body: bytes, unit: SpeedUnit | None = None) -> Report:
    """Return what a message holds. An empty one is legal: the app sends it to delete a friend."""
    if not body.strip():
        return without_fix("empty")
    message = read_object(body)
    return without_fix("unreadable") if message is None else parse_message(message, unit)


def parse_message(message: dict[str, Any], unit: SpeedUnit | None = None) -> Report:
    """Return what a decoded message holds: the fix of a `location`, and nothing of the others."""
    type_ = message.get("_type", "location")
    if type_ == "encrypted":
        return without_fix("encrypted")
    if type_ != "location":
        return without_fix("other")
    device = _device(message)
    if message.get("t") == PING or ("lat" not in message and "lon" not in message):
        return without_fix("heartbeat", device)
    speed = scaled(message.get("vel"), METRES_PER_S[unit or "kmh"]) or None
    return of_reading(
        reading(
            time(message.get("tst")),
            message.get("lat"),
            message.get("lon"),
            accuracy=message.get("acc"),
            speed=speed,
            heading=None if speed is None else message.get("cog"),
            altitude=message.get("alt"),
            battery=device.battery,
        ),
        device=device,
    )


def _device(message: dict[str, Any]) -> DeviceReport:
    charging, network = message.get("bs"), message.get("conn")
    return DeviceReport(
        battery=share(message.get("batt")),
        charging=_CHARGING.get(str(charging).partition(".")[0]),
        network=_NETWORKS.get(network) if isinstance(network, str) else None,
        app="OwnTracks",
    )


def reply(policy: Policy | None = None) -> bytes:
    """Return the answer: a list of commands. *policy* sets the app's intervals; None leaves them.

    The driver chooses the monitoring mode: one who has set it to quiet is not overruled.
    """
    if policy is None:
        return b"[]"
    interval, displacement = round(policy.interval_s), round(policy.min_move_m)
    configuration = {
        "_type": "configuration",
        "moveModeLocatorInterval": interval,  # Android, in the mode Move
        "locatorInterval": interval,  # iOS, and Android's other mode
        "locatorDisplacement": displacement,
    }
    return msgspec.json.encode(
        [{"_type": "cmd", "action": "setConfiguration", "configuration": configuration}]
    )
