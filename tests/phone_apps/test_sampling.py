"""When an app is told the interval at which it should report, and the labels of the metric."""

from datetime import UTC, datetime
from typing import get_args

from tracker.domain.reporting_policy import QUICK, USUAL
from tracker.metrics.node import PHONE_FORMATS, PHONE_KINDS
from tracker.phone_apps.report import Format, Kind
from tracker.phone_apps.sampling import MOST_APPS, REPEAT_AFTER, RemoteSampling

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def test_an_app_is_told_what_changed() -> None:
    """Once, and again after ten minutes; each app of a driver by itself."""
    sampling = RemoteSampling()
    assert sampling.due("drv_1", "owntracks", USUAL, NOW) == USUAL
    assert sampling.due("drv_1", "owntracks", USUAL, NOW) is None
    assert sampling.due("drv_1", "overland", USUAL, NOW) == USUAL
    assert sampling.due("drv_1", "owntracks", QUICK, NOW) == QUICK
    assert sampling.due("drv_1", "owntracks", QUICK, NOW + REPEAT_AFTER) == QUICK


def test_its_memory_is_bounded() -> None:
    """The app that was told first is forgotten, and told once more."""
    sampling = RemoteSampling()
    for number in range(MOST_APPS + 1):
        sampling.due(f"drv_{number}", "overland", USUAL, NOW)
    assert sampling.due("drv_1", "overland", USUAL, NOW) is None
    assert sampling.due("drv_0", "overland", USUAL, NOW) == USUAL


def test_every_format_and_kind_is_counted_from_the_start() -> None:
    """The metric, which may not import the parsers, has the same names."""
    assert set(PHONE_FORMATS) == set(get_args(Format))
    assert set(PHONE_KINDS) == set(get_args(Kind))
