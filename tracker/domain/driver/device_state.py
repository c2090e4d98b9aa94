"""State of a driver's device, merged from partial reports: the newest value of each field counts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final, Literal

import msgspec

Permission = Literal["always", "while_using", "denied"]

BATTERY_STEP: Final = 0.01  # a smaller change is not worth a write
REFRESH_AFTER: Final = timedelta(seconds=60)  # then an equal value is written again, with its new time
LOW_BATTERY: Final = 0.15
RISEN_BATTERY: Final = 0.2  # a battery that was low no longer is
TEXT_LENGTH: Final = 100  # characters of `network` and `app`


class DeviceReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a device says about itself. None: it does not say."""

    battery: float | None = None  # 0..1
    charging: bool | None = None
    permission: Permission | None = None  # for the position
    location_services: bool | None = None
    power_saving: bool | None = None
    network: str | None = None  # "none" without a network
    app: str | None = None  # name and version

    def cleaned(self) -> "DeviceReport":
        """Return the report without impossible values: many phones send a battery of -1 for unknown."""
        battery = self.battery
        if battery is not None and not (isfinite(battery) and 0.0 <= battery <= 1.0):
            battery = None
        return msgspec.structs.replace(
            self, battery=battery, network=_text(self.network), app=_text(self.app)
        )


def battery_became_low(before: float | None, level: float | None) -> bool | None:
    """Return True if the level fell below LOW_BATTERY, False if it rose to RISEN_BATTERY, else None.

    Without a level *before*, the present one counts as fallen or risen.
    """
    if level is None:
        return None
    if level < LOW_BATTERY:
        return True if before is None or before >= LOW_BATTERY else None
    return False if level >= RISEN_BATTERY and (before is None or before < RISEN_BATTERY) else None


class DeviceState(msgspec.Struct, frozen=True):
    """The newest value of each field, and when the device reported it."""

    report: DeviceReport = DeviceReport()
    at: Mapping[str, datetime] = {}

    @property
    def reported_at(self) -> datetime | None:
        """The time of the newest report; None if there was none."""
        return max(self.at.values(), default=None)

    @property
    def is_battery_low(self) -> bool:
        """Whether the battery is low and not being charged: the device may soon fall silent."""
        battery = self.report.battery
        return battery is not None and battery < LOW_BATTERY and not self.report.charging

    def merge(self, report: DeviceReport, at: datetime) -> "DeviceState":
        """Return the state after a report of *at*. Values reported later stay."""
        newer = {
            name: value
            for name, value in _fields(report.cleaned()).items()
            if name not in self.at or at >= self.at[name]
        }
        if not newer:
            return self
        return DeviceState(
            msgspec.structs.replace(self.report, **newer), {**self.at, **dict.fromkeys(newer, at)}
        )

    def changes_since(self, stored: "DeviceState") -> list[str]:
        """Return the fields with other values than *stored*; not the battery, whose level always changes."""
        before = msgspec.structs.asdict(stored.report)
        return [
            name
            for name, value in _fields(self.report).items()
            if name != "battery" and value != before[name]
        ]

    def differs(self, stored: "DeviceState") -> bool:
        """Return whether this newer state is worth a write."""
        return any(
            name not in stored.at
            or self.at[name] - stored.at[name] > REFRESH_AFTER
            or _changed(value, getattr(stored.report, name))
            for name, value in _fields(self.report).items()
        )


def _fields(report: DeviceReport) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(report).items() if value is not None}


def _changed(value: Any, stored: Any) -> bool:
    if isinstance(value, float) and isinstance(stored, float):
        return abs(value - stored) >= BATTERY_STEP
    return bool(value != stored)


def _text(value: str | None) -> str | None:
    """Return a text that PostgreSQL accepts, or None for an empty one."""
    return None if value is None else value.replace("\0", "").strip()[:TEXT_LENGTH] or None
