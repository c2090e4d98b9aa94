"""Percentiles of latencies, the plots, and what a result says of the promises."""

import re

import msgspec
import pytest

from driver_sim.load.measurements import Latency, Samples, Second, percentiles
from driver_sim.load.plot import Line, plot, round_up
from driver_sim.load.report import as_json, page
from driver_sim.load.result import Result

QUIET = Second(
    at_s=1.0,
    drivers=2,
    customers=2,
    fixes=2,
    acknowledged=2,
    updates=2,
    ack_p50_ms=3.0,
    ack_p99_ms=9.0,
    customer_p50_ms=None,
    customer_p99_ms=None,
    processor=0.1,
    late_ms=0.2,
)
GOOD = Result(
    url="http://127.0.0.1:8080",
    protocol="ws",
    drivers=2,
    watchers=1,
    rate_hz=1.0,
    ramp_s=1.0,
    duration_s=2.0,
    prepared_s=0.5,
    fixes=6,
    acknowledged=6,
    unacknowledged=0,
    rejected=0,
    duplicates=0,
    disconnected=0,
    updates=6,
    customers=2,
    up_to_date=2,
    hidden=0,
    fix_to_ack=Latency(6, 3.0, 4.0, 9.0, 9.0),
    fix_to_customer=Latency(0),
    late=Latency(6, 0.1, 0.2, 0.3, 0.3),
    processor=0.1,
    seconds=[QUIET, QUIET],
)


def test_percentiles_are_values_that_occurred() -> None:
    latency = percentiles(n / 1000 for n in range(1, 101))
    assert latency == Latency(100, 51.0, 91.0, 100.0, 100.0)
    assert percentiles([]) == Latency(0)


def test_each_second_has_its_own_samples_and_the_ramp_is_left_out() -> None:
    samples = Samples()
    samples.add(5.0)
    assert samples.take_second().p50_ms == 5000.0
    samples.start_steady()
    samples.add(0.001)
    assert samples.take_second() == samples.steady() == Latency(1, 1.0, 1.0, 1.0, 1.0)
    assert samples.take_second() == Latency(0)
    assert samples.count() == 2


@pytest.mark.parametrize(
    "changed",
    [{"unacknowledged": 1}, {"rejected": 1}, {"disconnected": 1}, {"up_to_date": 1}],
)
def test_each_broken_promise_is_told(changed: dict[str, int]) -> None:
    broken = msgspec.structs.replace(GOOD, **changed)
    assert GOOD.kept
    assert not broken.kept
    assert [one.kept for one in broken.promises].count(False) == 1
    assert page(broken).count('class="broken"') == 1
    assert msgspec.json.decode(as_json(broken))["kept"] is False


@pytest.mark.parametrize("changed", [{"processor": 0.95}, {"late": Latency(6, 60.0, 70.0, 80.0, 90.0)}])
def test_a_tool_that_is_the_limit_says_so(changed: dict[str, object]) -> None:
    busy = msgspec.structs.replace(GOOD, **changed)
    assert not GOOD.measures_itself
    assert busy.measures_itself
    assert "The tool was the limit" in page(busy)
    assert "The tool was the limit" not in page(GOOD)


def test_a_plot_says_in_words_what_it_shows_and_leaves_gaps() -> None:
    drawn = plot("Rate <b>", "/s", [Line("fixes", [(0.0, 1.0), (1.0, None), (2.0, 3.0)])])
    assert 'aria-label="Rate &lt;b&gt;: fixes from 1 to 3 /s"' in drawn
    drawn_paths = re.findall(r'<path d="([^"H]+)" fill="none"', drawn)
    assert [path.count("M") for path in drawn_paths] == [2]


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (480.0, 500.0), (1001.0, 2000.0)]
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)
