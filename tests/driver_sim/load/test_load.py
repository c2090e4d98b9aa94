"""`driver-sim load` against the real service."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from driver_sim.__main__ import main
from tests.service import ADMIN_KEY, Service


@pytest.mark.parametrize("protocol", ["ws", "http"])
def test_a_short_load_is_measured_and_its_promises_are_checked(
    service: Service, tmp_path: Path, protocol: str
) -> None:
    report = tmp_path / "load.html"
    arguments = [
        *("load", "--url", service.url, "--api-key", ADMIN_KEY, "--protocol", protocol, "--seed", "4712"),
        *("--drivers", "3", "--watchers", "2", "--rate", "5", "--ramp", "0.5", "--duration", "1.5"),
        *("--report", str(report), "--json"),
    ]
    outcome = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    result = msgspec.json.decode(outcome.stdout)
    assert result["kept"] is True
    assert result["fixes"] == result["acknowledged"] == result["fixes"] - result["unacknowledged"] > 20
    assert (result["customers"], result["up_to_date"]) == (6, 6)
    assert result["fix_to_ack"]["samples"] > 0
    assert result["fix_to_customer"]["p50_ms"] > 0
    assert 0 < result["processor"] < 1
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--protocol", "owntracks", "--rate", "2"],
            "sends whole seconds, so --rate must be at most 1",
        ),
        (["--report", "load.txt"], "the name must end in .json or .html"),
        (["--report", "missing/load.html"], "does not exist"),
    ],
)
def test_options_that_cannot_work_are_refused_before_the_run(options: list[str], problem: str) -> None:
    outcome = CliRunner().invoke(main, ["load", "--api-key", "k", *options])
    assert outcome.exit_code == 2
    assert problem in outcome.output


def test_an_unreachable_service_is_one_line_with_a_fix() -> None:
    arguments = ["load", "--api-key", "k", "--url", "http://127.0.0.1:9", "--drivers", "1"]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 1
    assert "start the service, or give its address with --url" in outcome.output
