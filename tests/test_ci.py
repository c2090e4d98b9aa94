"""CI on a new machine: it installs what tests need, starts no service, and skips nothing for a program."""

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from tests.conftest import pytest_runtest_makereport

ROOT: Final = Path(__file__).parent.parent
SCRIPT: Final = ROOT / "scripts" / "apt-install.sh"
STAND_INS: Final = {
    "dpkg-query": 'case "$*" in *nginx) printf installed ;; *) exit 1 ;; esac',
    "apt-cache": 'case "$*" in *caddy) ;; *) echo "$2 | 1.0 | archive" ;; esac',
    "apt-get": 'echo "apt-get $*" >&2; [ "$2" = update ] || cat "$POLICY_RC_D" >&2',
    "id": 'echo "$USER_ID"',
}


def install(folder: Path, *packages: str, user: int = 0) -> str:
    """Run the script where nginx is installed and the archive lacks caddy. Return what it printed."""
    for name, script in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(stat.S_IRWXU)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "POLICY_RC_D": str(folder / "policy-rc.d"),
        "USER_ID": str(user),
    }
    done = subprocess.run(
        ["bash", str(SCRIPT), *packages],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert not (folder / "policy-rc.d").exists()
    return done.stdout + done.stderr


def test_missing_packages_are_installed_at_once_and_their_services_stay_off(tmp_path: Path) -> None:
    """Debian's own switch keeps nginx or PostgreSQL from listening after their installation."""
    printed = install(tmp_path, "nginx", "haproxy", "pgbouncer")
    (call,) = [line for line in printed.splitlines() if line.startswith("apt-get -qq install")]
    assert call.split()[-2:] == ["haproxy", "pgbouncer"]
    assert "exit 101" in printed


def test_a_package_that_the_archive_lacks_is_named_and_left_out(tmp_path: Path) -> None:
    """The others are still installed."""
    printed = install(tmp_path, "caddy", "haproxy")
    assert "The package archive has no caddy; tests that need it cannot run." in printed
    assert "--no-install-recommends haproxy" in printed
    assert "-qq install" not in install(tmp_path, "caddy")


def test_nothing_is_done_where_all_is_installed_or_only_root_could(tmp_path: Path) -> None:
    """Not even an update of the package lists."""
    assert install(tmp_path, "nginx") == ""
    printed = install(tmp_path, "haproxy", user=1000)
    assert "only root can install them: haproxy" in printed
    assert "apt-get" not in printed


def report(outcome: Literal["passed", "skipped"], longrepr: Any) -> pytest.TestReport:
    """What the hook makes of a report."""
    given = pytest.TestReport(
        "tests/x.py::test_x", ("tests/x.py", 1, "test_x"), {}, outcome, longrepr, "setup"
    )
    hook = pytest_runtest_makereport()
    next(hook)
    with pytest.raises(StopIteration) as end:
        hook.send(given)
    changed = end.value.value
    assert isinstance(changed, pytest.TestReport)
    return changed


ABSENT: Final = ("tests/x.py", 1, "Skipped: needs nginx; `apt-get install nginx` brings it")


def test_a_skip_for_an_absent_program_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a package that was not installed would otherwise hide its tests."""
    monkeypatch.setenv("CI", "true")
    assert report("skipped", ABSENT).failed
    assert "needs nginx" in str(report("skipped", ABSENT).longrepr)
    assert report("skipped", ("tests/x.py", 1, "Skipped: needs IPv6")).skipped
    assert report("passed", None).passed


def test_a_skip_for_an_absent_program_is_one_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer runs what the machine allows."""
    monkeypatch.delenv("CI", raising=False)
    assert report("skipped", ABSENT).skipped


def test_ci_installs_each_package_that_a_skip_names() -> None:
    """Skips for programs name the package that brings them; .ci/run holds the list."""
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    listed = set(run.partition("packages=(")[2].partition(")")[0].split())
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    reasons = [name for text in sources for name in re.findall(r"needs [^\n]*apt-get install ([a-z]+)", text)]
    assert len(reasons) >= 4
    assert set(reasons) <= listed
