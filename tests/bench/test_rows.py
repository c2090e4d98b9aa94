"""The table of `make bench`."""

import pytest

from bench.rows import Row, show

LONG = "while 200 customers watch the same order over WebSocket and the driver sends one fix a second " * 3


def test_a_table_in_a_file_has_whole_figures_and_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    """However long names and details are, nothing is cut: a row stays on one line."""
    limit = Row(name=LONG, value=1.5432, unit="ms", against=LONG, reference=0.5, detail=LONG)
    other = Row(
        name="fixes",
        value=123_456.7,
        unit="fixes/s",
        against="x",
        reference=1e5,
        better="higher",
        limit=False,
    )
    show([limit, other])
    heading, first, second = capsys.readouterr().out.rstrip("\n").split("\n")
    assert heading.split() == ["what", "measured", "against", "ratio"]
    assert "…" not in first + second
    assert first.split() == [
        *LONG.split(),
        "1.54",
        "ms",
        *LONG.split(),
        "(0.5",
        "ms)",
        "3.09",
        "MISSED",
        *LONG.split(),
    ]
    assert second.split() == ["fixes", "123,457", "fixes/s", "x", "(100,000", "fixes/s)", "1.23"]
