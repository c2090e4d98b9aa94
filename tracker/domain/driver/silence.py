"""Silence of a driver who should send positions, and its likely reason."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.driver.device_state import DeviceState

SilenceReason = Literal[
    "no_permission",
    "location_off",
    "battery_empty",
    "power_saving",
    "no_network",
    "app_closed",
    "unknown",
]
ReasonBasis = Literal["reported", "inferred", "none"]
"""`reported`: the device said so; `inferred`: the service concludes it; `none`: the reason is unknown."""

Departure = Literal["closed", "lost"]
"""How the connection of the position source ended: the app closed it, or it broke."""

SILENT_AFTER_S: Final = 60.0
INTERVALS: Final = 3.0  # missed intervals after which a driver is silent
REPORT_LEAD: Final = timedelta(seconds=60)  # a report so long before the last fix may explain the silence
BATTERY_LEAD: Final = timedelta(hours=1)  # the same for an almost empty battery
EMPTY_BATTERY: Final = 0.05
NO_NETWORK: Final = frozenset({"none", "offline", "no_network", "unavailable"})


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a driver's device when no positions come."""

    expected_since: datetime | None  # on duty with an open order since then; None: no positions are expected
    heard_at: datetime | None = None  # when the last fix was received
    interval_s: float = 0.0  # between two fixes
    device: DeviceState = DeviceState()
    departure: Departure | None = None  # None: connected, or never was


class Silence(msgspec.Struct, frozen=True):
    """A driver's silence."""

    since: datetime  # the last fix, or when the first one was expected
    reason: SilenceReason
    reason_basis: ReasonBasis


def silence_of(signs: Signs, now: datetime) -> Silence | None:
    """Return the driver's silence; None while fixes come, or if none are expected."""
    if signs.expected_since is None:
        return None
    since = max(signs.expected_since, signs.heard_at or signs.expected_since)
    if (now - since).total_seconds() < max(SILENT_AFTER_S, INTERVALS * signs.interval_s):
        return None
    return Silence(since, *_reason(signs))


def _reason(signs: Signs) -> tuple[SilenceReason, ReasonBasis]:
    """Return the strongest explanation: what the device reported, then what its last signs suggest."""
    report, departure = signs.device.report, signs.departure
    is_offline = (report.network or "").lower() in NO_NETWORK
    explanations: tuple[tuple[bool | None, SilenceReason, ReasonBasis], ...] = (
        (report.permission == "denied" and _explains(signs, "permission"), "no_permission", "reported"),
        (
            report.location_services is False and _explains(signs, "location_services"),
            "location_off",
            "reported",
        ),
        (is_offline and _explains(signs, "network"), "no_network", "reported"),
        (
            _is_almost_empty(signs.device) and _explains(signs, "battery", BATTERY_LEAD),
            "battery_empty",
            "inferred",
        ),
        (report.power_saving, "power_saving", "reported"),
        (departure == "closed" or report.permission == "while_using", "app_closed", "inferred"),
        (departure == "lost", "no_network", "inferred"),
        (True, "unknown", "none"),
    )
    return next((reason, basis) for holds, reason, basis in explanations if holds)


def _explains(signs: Signs, field: str, lead: timedelta = REPORT_LEAD) -> bool:
    """Return whether the field was reported late enough: fixes that came long after it disprove it."""
    return signs.heard_at is None or signs.device.at[field] >= signs.heard_at - lead


def _is_almost_empty(device: DeviceState) -> bool:
    battery = device.report.battery
    return battery is not None and battery <= EMPTY_BATTERY and not device.report.charging
