"""What one message of a phone app holds, whatever its format."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from tracker.domain.driver.device_state import DeviceReport
from tracker.domain.tracks.fix import Fix, Rejection

Format = Literal["owntracks", "osmand", "overland", "traccar", "mqtt"]
"""Formats, named after the endpoints that take them; `mqtt` is that of OwnTracks."""

Kind = Literal[
    "fix",  # a reading of the device
    "heartbeat",  # the device is alive and has no new position
    "other",  # whatever else the app sends
    "encrypted",
    "empty",
    "unreadable",
    "too_large",
    "prefetch",  # a browser or a link preview, not the app
    "unknown_device",  # of a server that forwards several devices
    "unknown_driver",  # over MQTT, to the topic of a driver that does not exist, or was erased
    "over_rate",  # over MQTT, of a driver who sends too much
    "last_will",  # over MQTT, from the broker: the device is gone
]
"""What a message is. Only a `fix` is stored; all of them are counted."""

SAYS_NOTHING: Final = DeviceReport()

type Reading = Fix | Rejection


class Report(msgspec.Struct, frozen=True):
    """Readings to store together, at most 500, and how many messages of each kind there were."""

    readings: list[Reading]
    counts: dict[Kind, int]
    arrives_at: datetime | None | msgspec.UnsetType = msgspec.UNSET
    """When the phone's navigation reaches the next stop. None: it has no route. Unset: it does not say."""
    device: DeviceReport = SAYS_NOTHING
    """What the newest message says about the device."""
    device_at: datetime | None = None
    """When it was so. None: now."""


def without_fix(kind: Kind, device: DeviceReport = SAYS_NOTHING) -> Report:
    """Return the report of a message without a reading."""
    return Report([], {kind: 1}, device=device)


def of_reading(
    reading: Reading,
    arrives_at: datetime | None | msgspec.UnsetType = msgspec.UNSET,
    device: DeviceReport = SAYS_NOTHING,
) -> Report:
    """Return the report of a message with one reading."""
    at = reading.recorded_at if isinstance(reading, Fix) else None
    return Report([reading], {"fix": 1}, arrives_at, device, at)
