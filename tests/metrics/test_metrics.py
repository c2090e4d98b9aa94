"""Metrics: all of them are documented, begin at 0 where their labels are known, and stay bounded."""

import asyncio
import re
from pathlib import Path
from time import sleep

import pytest

from tests.waiting import until
from tracker.metrics import Metrics
from tracker.metrics.http import CLOSE_CODES, OTHER_CODE

ROOT = Path(__file__).parents[2]
FROZEN = {"fixes_total", "fix_to_send_seconds", "subscribers", "commit_seconds", "eta_error_seconds"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def families(metrics: Metrics) -> dict[str, str]:
    """Name and help text of each, named as in a query."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.documentation
        for family in metrics.registry.collect()
    }


def test_every_metric_is_documented_and_no_other(metrics: Metrics) -> None:
    """docs/metrics.md has a row for each, with the help text that Prometheus shows."""
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| \w+ \| (.+?) \|$", text, re.MULTILINE))
    shown = families(metrics)
    assert set(rows) == set(shown)
    ours = {name: help_ for name, help_ in shown.items() if name.startswith("tracker_")}
    assert {name: rows[name] for name in ours} == ours


def test_the_names_of_the_public_interface_stay(metrics: Metrics) -> None:
    """Dashboards of others rely on them."""
    assert {f"tracker_{name}" for name in FROZEN} <= set(families(metrics))


def test_durations_sizes_and_times_name_their_unit(metrics: Metrics) -> None:
    """Seconds and bytes, in the name and in the help text."""
    for name, help_ in families(metrics).items():
        if name.startswith("tracker_"):
            assert ("econds" in help_) == ("_seconds" in name), (name, help_)
            assert ("ytes" in help_) == ("_bytes" in name), (name, help_)


def test_known_labels_begin_at_zero(metrics: Metrics) -> None:
    """A rate over a window needs a value before the first event."""
    metrics.http.declare("/v1/orders", ["GET", "POST"], 200)
    metrics.http.declare_socket("/v1/drivers/stream")
    for result in ("stored", "duplicate", "rejected"):
        assert value(metrics, "tracker_fixes_total", result=result) == 0.0
    for code in (*CLOSE_CODES, OTHER_CODE):
        labels = {"route": "/v1/drivers/stream", "code": str(code)}
        assert value(metrics, "tracker_websocket_closes_total", **labels) == 0.0
    labels = {"route": "/v1/orders", "method": "POST"}
    assert value(metrics, "tracker_http_requests_total", **labels, status="200") == 0.0


def test_answers_count_by_route_method_and_status(metrics: Metrics) -> None:
    """With their time."""
    metrics.http.count_answer("/v1/orders", "GET", 200, 0.25)
    metrics.http.count_answer("/v1/orders", "GET", 404, 0.25)
    labels = {"route": "/v1/orders", "method": "GET"}
    assert value(metrics, "tracker_http_requests_total", **labels, status="404") == 1.0
    assert value(metrics, "tracker_http_request_seconds_sum", **labels) == 0.5


def test_clients_cannot_add_series(metrics: Metrics) -> None:
    """Invented methods and close codes share one value each."""
    for number in range(100):
        metrics.http.count_answer("unmatched", f"METHOD{number}", 404, 0.0)
        metrics.http.count_close("/v1/drivers/stream", 4500 + number)
    labels = {"route": "/v1/drivers/stream", "code": OTHER_CODE}
    assert value(metrics, "tracker_websocket_closes_total", **labels) == 100


def test_rejections_count_by_reason(metrics: Metrics) -> None:
    """The number of rejected fixes is the sum of the reasons."""
    metrics.count_fixes(2, 0, ["too_old", "too_old", "malformed"])
    assert value(metrics, "tracker_fixes_rejected_total", reason="too_old") == 2.0
    assert value(metrics, "tracker_fixes_total", result="rejected") == 3.0
    assert value(metrics, "tracker_fixes_total", result="stored") == 2.0


def test_what_is_wrong_becomes_one_and_then_zero_again(metrics: Metrics) -> None:
    """As /readyz says it."""
    metrics.set_health(["database"], [])
    assert value(metrics, "tracker_not_ready", reason="database") == 1.0
    metrics.set_health([], ["router"])
    assert value(metrics, "tracker_not_ready", reason="database") == 0.0
    assert value(metrics, "tracker_degraded", part="router") == 1.0


async def test_a_blocked_event_loop_shows_as_lag(metrics: Metrics) -> None:
    """A second of blocking is at least half a second of lag."""
    async with metrics.process.measuring_lag():
        await asyncio.sleep(0)  # yields to the measuring task
        sleep(1.0)  # noqa: ASYNC251  # simulates work that blocks the loop
        await until(lambda: value(metrics, "tracker_event_loop_lag_seconds_count"))
    assert (value(metrics, "tracker_event_loop_lag_seconds_sum") or 0.0) > 0.5
