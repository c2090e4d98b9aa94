"""Folding: the first error of a kind is a line at once, its repetitions are one line with their number."""

from typing import Any

import pytest
import structlog

from tracker.logs.folding import MOST_KINDS, WINDOW_S, Folding


class Lines:
    """A log with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[dict[str, Any]] = []
        self.folding = Folding(lambda _logger, _method, event: event, lambda: self.now)

    def msg(self, event: dict[str, Any]) -> None:
        self.written.append(event)

    def log(self, event: str, level: str = "error", **fields: Any) -> None:
        try:
            line = self.folding(self, level, {"event": event, "level": level, **fields})
        except structlog.DropEvent:
            return
        self.written.append(dict(line))

    def pass_window(self) -> None:
        self.now += WINDOW_S
        self.folding.flush()


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_repetitions_become_one_line_with_their_number(lines: Lines) -> None:
    """The line is the last repetition, so it holds the id of a request to look at."""
    for number in range(5):
        lines.log("request_crashed", crash="KeyError", request_id=str(number))
    assert [line["request_id"] for line in lines.written] == ["0"]
    lines.pass_window()
    assert [(line["request_id"], line.get("repeated")) for line in lines.written] == [("0", None), ("4", 4)]


def test_an_error_that_goes_on_is_one_line_a_window(lines: Lines) -> None:
    """After the first, each window has the one line of its repetitions."""
    for _ in range(3):
        for _ in range(10):
            lines.log("router_died")
        lines.pass_window()
    assert [line.get("repeated") for line in lines.written] == [None, 9, 10, 10]


def test_an_error_that_came_back_is_a_line_at_once(lines: Lines) -> None:
    """A window without repetitions ends the counting."""
    lines.log("router_died")
    lines.pass_window()
    lines.log("router_died")
    assert len(lines.written) == 2


@pytest.mark.parametrize("field", ["crash", "problem", "status", "route", "code", "why", "reason", "level"])
def test_another_error_is_another_line(lines: Lines, field: str) -> None:
    """Events differ by what went wrong and where, not by whom it met."""
    lines.log("request_refused", **{"level": "warning", field: "error"})
    lines.log("request_refused", **{"level": "warning", field: "critical"})
    lines.log("request_refused", **{"level": "warning", field: "critical"}, driver="drv_1")
    assert len(lines.written) == 2


def test_refusals_are_folded_and_other_information_is_not(lines: Lines) -> None:
    """Anybody can cause refusals; connects are facts, each of its own client."""
    for _ in range(3):
        lines.log("request_refused", "info", status=404)
        lines.log("socket_opened", "info")
    assert [line["event"] for line in lines.written].count("request_refused") == 1
    assert [line["event"] for line in lines.written].count("socket_opened") == 3


def test_the_last_repetitions_are_written_at_the_end(lines: Lines) -> None:
    """An early flush loses no count."""
    lines.log("router_died")
    lines.log("router_died")
    lines.folding.flush(early=True)
    assert [line.get("repeated") for line in lines.written] == [None, 1]


def test_the_kinds_are_bounded(lines: Lines) -> None:
    """More kinds than are counted are written, not lost."""
    for _ in range(2):
        for number in range(MOST_KINDS + 10):
            lines.log("request_failed", why=str(number))
    assert len(lines.written) == MOST_KINDS + 20
