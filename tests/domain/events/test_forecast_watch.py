"""When a forecast is an event."""

from datetime import UTC, datetime, timedelta

from tracker.domain.events.forecast_watch import Doubts, ForecastReport, judge_forecast

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Watched:
    """One order whose forecasts are judged every five seconds."""

    def __init__(self, window_to: datetime | None = None, *, is_picked_up: bool = True) -> None:
        self.report, self.doubts, self.now = ForecastReport(1), Doubts(), NOW
        self.window_to, self.is_picked_up = window_to, is_picked_up

    def forecast(self, arrives_at: datetime, seconds: int = 5) -> list[str]:
        """The events while the forecast stays for so many seconds."""
        events: list[str] = []
        for _ in range(seconds // 5):
            judged = judge_forecast(
                self.report,
                self.doubts,
                arrives_at,
                window_to=self.window_to,
                is_picked_up=self.is_picked_up,
                now=self.now,
            )
            self.report, self.doubts = judged.report, judged.doubts
            events += judged.events
            self.now += timedelta(seconds=5)
        return events


def test_after_the_window_for_half_a_minute_is_delayed_once() -> None:
    """Not at once, and never twice, however long it lasts."""
    watched = Watched(NOW + 20 * MINUTE)
    assert watched.forecast(NOW + 19 * MINUTE, 60) == []
    late = NOW + 21 * MINUTE
    assert watched.forecast(late, 30) == []
    assert watched.forecast(late, 5) == ["order.delayed"]
    assert watched.forecast(late, 600) == []
    assert watched.forecast(NOW + 19 * MINUTE, 60) == []
    assert watched.forecast(late, 600) == []


def test_a_forecast_that_comes_back_in_time_is_no_delay() -> None:
    """The half minute begins anew."""
    watched = Watched(NOW + 20 * MINUTE)
    for _ in range(5):
        assert watched.forecast(NOW + 21 * MINUTE, 25) == []
        assert watched.forecast(NOW + 20 * MINUTE, 5) == []


def test_without_a_window_the_first_forecast_after_the_pickup_counts() -> None:
    """Ten minutes later than that is late; forecasts before the pickup promise nothing."""
    watched = Watched(is_picked_up=False)
    assert watched.forecast(NOW + 10 * MINUTE, 60) == []
    assert watched.report.promised_at is None
    watched.is_picked_up = True
    watched.forecast(NOW + 14 * MINUTE)
    assert watched.report.promised_at == NOW + 14 * MINUTE
    assert "order.delayed" not in watched.forecast(NOW + 24 * MINUTE, 120)
    assert "order.delayed" in watched.forecast(NOW + 24 * MINUTE + timedelta(seconds=1), 40)


def test_more_than_five_minutes_off_for_half_a_minute_is_a_change() -> None:
    """Later or earlier; the next change is compared with what was reported then."""
    watched = Watched(NOW + 600 * MINUTE, is_picked_up=False)
    assert watched.forecast(NOW + 30 * MINUTE, 60) == []
    assert watched.forecast(NOW + 35 * MINUTE, 60) == []
    assert watched.forecast(NOW + 36 * MINUTE, 30) == []
    assert watched.forecast(NOW + 36 * MINUTE, 5) == ["order.eta_changed"]
    assert watched.report.reported_at == NOW + 36 * MINUTE
    assert watched.forecast(NOW + 40 * MINUTE, 60) == []
    assert watched.forecast(NOW + 30 * MINUTE, 35) == ["order.eta_changed"]


def test_slow_drift_is_reported_once_it_is_large() -> None:
    """A minute a minute: each report is more than five minutes from the last one."""
    watched = Watched(NOW + 600 * MINUTE)
    reports = [minute for minute in range(31) if watched.forecast(NOW + (30 + minute) * MINUTE, 60)]
    assert reports == [6, 12, 18, 24, 30]


def test_both_may_come_at_once() -> None:
    watched = Watched(NOW + 20 * MINUTE)
    watched.forecast(NOW + 18 * MINUTE)
    assert watched.forecast(NOW + 40 * MINUTE, 35) == ["order.delayed", "order.eta_changed"]
