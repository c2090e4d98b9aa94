"""Device state: partial reports, of which the newest value of each field counts."""

from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from tracker.domain.driver.device_state import DeviceReport, DeviceState, battery_became_low

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_the_newest_value_of_each_field_counts() -> None:
    """A partial report leaves the other fields, and a late one the fields that are newer."""
    state = DeviceState().merge(DeviceReport(battery=0.5, network="wifi"), NOW)
    state = state.merge(DeviceReport(network="mobile"), NOW + MINUTE)
    state = state.merge(DeviceReport(battery=0.9, network="none", charging=True), NOW - MINUTE)
    assert state.report == DeviceReport(battery=0.5, network="mobile", charging=True)
    assert state.reported_at == NOW + MINUTE


@pytest.mark.parametrize("battery", [-1.0, 1.01, 55.0, nan, inf])
def test_an_impossible_battery_is_unknown(battery: float) -> None:
    """It costs neither the other fields nor the earlier value."""
    state = DeviceState().merge(DeviceReport(battery=0.5), NOW)
    state = state.merge(DeviceReport(battery=battery, app="A"), NOW + MINUTE)
    assert state.report == DeviceReport(battery=0.5, app="A")


def test_texts_are_cut_and_storable() -> None:
    """A hundred characters stay, none of them U+0000; an empty text says nothing."""
    state = DeviceState().merge(DeviceReport(network="\0", app="\0" + "x" * 100_000), NOW)
    assert state.report == DeviceReport(app="x" * 100)
    assert DeviceState().merge(DeviceReport(), NOW).reported_at is None


def test_only_what_changes_is_worth_a_write() -> None:
    """Equal values and a battery that moves by less than a hundredth wait; a new field or a minute do not."""
    stored = DeviceState().merge(DeviceReport(battery=0.5, network="wifi"), NOW)

    def differs(after: timedelta, report: DeviceReport) -> bool:
        return stored.merge(report, NOW + after).differs(stored)

    assert not differs(MINUTE / 2, DeviceReport(battery=0.503, network="wifi"))
    assert differs(MINUTE / 2, DeviceReport(battery=0.48))
    assert differs(MINUTE / 2, DeviceReport(network="mobile"))
    assert differs(MINUTE / 2, DeviceReport(charging=False))
    assert differs(2 * MINUTE, DeviceReport(network="wifi"))


@pytest.mark.parametrize(
    ("before", "level", "became_low"),
    [
        (0.5, 0.14, True),
        (0.15, 0.149, True),
        (None, 0.1, True),
        (0.14, 0.1, None),
        (0.5, 0.15, None),
        (0.14, 0.19, None),
        (0.14, 0.2, False),
        (None, 0.9, False),
        (0.5, 0.6, None),
        (0.5, None, None),
    ],
)
def test_a_battery_falls_once_until_it_has_risen(
    before: float | None, level: float | None, became_low: bool | None
) -> None:
    """Below 0.15 it is low; from 0.2 on it no longer is, so a level at the threshold says nothing."""
    assert battery_became_low(before, level) is became_low


def test_changes_name_the_fields_without_the_battery() -> None:
    before = DeviceState(DeviceReport(battery=0.5, charging=False, permission="always"))
    after = DeviceState(DeviceReport(battery=0.4, charging=True, permission="always", network="wifi"))
    assert after.changes_since(before) == ["charging", "network"]
