"""Silence: when a driver counts as silent, and why."""

from datetime import UTC, datetime, timedelta

import pytest

from tracker.domain.driver.device_state import DeviceReport, DeviceState
from tracker.domain.driver.silence import Departure, Signs, Silence, silence_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEARD = NOW - timedelta(minutes=10)
HOUR = timedelta(hours=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("expected_since", "heard_at", "interval_s", "since"),
    [
        (None, ago(9_000), 5.0, None),  # off duty or without an order
        (ago(9_000), ago(59), 5.0, None),
        (ago(9_000), ago(60), 5.0, ago(60)),
        (ago(9_000), ago(89), 30.0, None),  # three of its intervals
        (ago(9_000), ago(90), 30.0, ago(90)),
        (ago(59), None, 5.0, None),
        (ago(60), None, 5.0, ago(60)),  # never a fix
        (ago(59), ago(9_000), 5.0, None),  # the order or the shift has just begun
        (ago(61), ago(9_000), 5.0, ago(61)),
    ],
)
def test_a_driver_is_silent_after_60_s_or_three_intervals(
    expected_since: datetime | None, heard_at: datetime | None, interval_s: float, since: datetime | None
) -> None:
    """Since the last fix, or since a fix was to be expected."""
    signs = Signs(expected_since=expected_since, heard_at=heard_at, interval_s=interval_s)
    silence = silence_of(signs, NOW)
    assert (None if silence is None else silence.since) == since


def device(at: datetime = HEARD, **report: object) -> DeviceState:
    return DeviceState().merge(DeviceReport(**report), at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "departure", "reason", "basis"),
    [
        (device(), None, "unknown", "none"),
        (device(permission="denied"), None, "no_permission", "reported"),
        (device(permission="denied", location_services=False), "closed", "no_permission", "reported"),
        (device(location_services=False, battery=0.01), "lost", "location_off", "reported"),
        (device(network="None"), None, "no_network", "reported"),
        (device(network="wifi"), "lost", "no_network", "inferred"),
        (device(battery=0.05), "lost", "battery_empty", "inferred"),
        (device(battery=0.05, charging=True), "lost", "no_network", "inferred"),
        (device(battery=0.06), "lost", "no_network", "inferred"),
        (device(power_saving=True), "lost", "power_saving", "reported"),
        (device(power_saving=False), "closed", "app_closed", "inferred"),
        (device(permission="while_using"), None, "app_closed", "inferred"),
        (device(permission="always", location_services=True), None, "unknown", "none"),
        # fixes that came after the report disprove it
        (device(HEARD - HOUR, permission="denied"), None, "unknown", "none"),
        (device(HEARD - HOUR, location_services=False), "closed", "app_closed", "inferred"),
        (device(HEARD - HOUR, network="none"), None, "unknown", "none"),
        (device(HEARD - 2 * HOUR, battery=0.01), None, "unknown", "none"),
        (device(HEARD - HOUR / 2, battery=0.01), None, "battery_empty", "inferred"),
        (device(HEARD + HOUR / 12, permission="denied"), None, "no_permission", "reported"),
        (device(HEARD - 2 * HOUR, power_saving=True), None, "power_saving", "reported"),
    ],
)
def test_the_reason_is_what_the_device_said_or_else_what_its_last_signs_suggest(
    state: DeviceState, departure: Departure | None, reason: str, basis: str
) -> None:
    """The strongest explanation counts, and `reason_basis` says how sure it is."""
    signs = Signs(expected_since=HEARD - HOUR, heard_at=HEARD, device=state, departure=departure)
    assert silence_of(signs, NOW) == Silence(HEARD, reason, basis)  # type: ignore[arg-type]


def test_without_any_fix_an_old_report_explains_too() -> None:
    """A device that never sent a position said why before the order came."""
    signs = Signs(expected_since=HEARD, device=device(HEARD - 9 * HOUR, permission="denied"))
    assert silence_of(signs, NOW) == Silence(HEARD, "no_permission", "reported")
