"""The set-up under faults: a failure for the tests leaves the product working, and each says what to do.

A script stands in for the Python of .venv, and so for pip and npm. `tests/faults/test_set_up.py` runs both.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
WITHIN: Final = 60  # seconds
STAND_IN: Final = """#!/bin/sh
echo "$HOME: $*" >>"$CALLS"
case "$*" in
scripts/locked.py*) exec "{python}" "$@" ;;
*"${{FAILS:-no call}}"*) echo 'it failed'; exit 1 ;;
esac
"""


class Clone:
    """A folder with the scripts, their inputs, and a virtual environment of stand-ins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        shutil.copytree(ROOT / "scripts", root / "scripts")
        for folder in ("web/types", "web/vendor/maplibre-gl", ".venv/bin"):
            (root / folder).mkdir(parents=True)
        for file in ("requirements.lock", "requirements-dev.lock", "web/types/maplibre-gl.d.mts"):
            shutil.copy(ROOT / file, root / file)
        (root / ".venv/bin/activate").write_text(f"VIRTUAL_ENV={root}/.venv\n")
        python = root / ".venv/bin/python"
        python.write_text(STAND_IN.format(python=sys.executable))
        python.chmod(0o755)

    def start(self, kind: str, **environment: str | None) -> subprocess.Popen[str]:
        """Start the set-up; None takes a variable out of its environment."""
        changed = os.environ | {"CALLS": str(self.calls)} | environment
        return subprocess.Popen(
            ["sh", str(self.root / "scripts/set-up.sh"), kind],
            env={name: value for name, value in changed.items() if value is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def set_up(self, kind: str, **environment: str | None) -> tuple[int | None, str, str]:
        """Run the set-up. Return its exit status, what it printed, and the calls of Python."""
        self.calls.write_text("")
        process = self.start(kind, **environment)
        printed, _ = process.communicate(timeout=WITHIN)
        return process.returncode, printed, self.calls.read_text()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path.resolve() / "clone")


def test_the_product_is_set_up_once_and_without_test_tools(clone: Clone) -> None:
    """`make install` and `make demo` install no tools; the second call does nothing."""
    status, _, calls = clone.set_up("run")
    assert status == 0
    assert "-r requirements.lock" in calls
    assert "requirements-dev.lock" not in calls
    assert "ci --prefix web" not in calls
    assert clone.set_up("run") == (0, "", "")
    assert not (clone.root / ".venv/tmp").exists()


@pytest.mark.parametrize("fails", ["-r requirements-dev.lock", "ci --prefix web", "pip download"])
def test_a_failure_of_the_tools_leaves_the_product_set_up(clone: Clone, fails: str) -> None:
    """The product needs no new set-up, and the next `make test` continues with the tools."""
    clone.set_up("run")
    status, printed, _ = clone.set_up("dev", FAILS=fails)
    assert status == 1
    assert "it failed" in printed
    assert clone.set_up("run") == (0, "", "")
    status, _, calls = clone.set_up("dev")
    assert status == 0
    assert "-r requirements.lock" not in calls
    assert "--editable" not in calls
    assert clone.set_up("dev") == (0, "", "")


def test_the_tools_on_a_fresh_clone_leave_a_product_that_is_set_up(clone: Clone) -> None:
    """`make demo` works if the first `make test` failed halfway."""
    status, _, _ = clone.set_up("dev", FAILS="-r requirements-dev.lock")
    assert status == 1
    assert clone.set_up("run") == (0, "", "")


def test_a_failure_of_the_product_is_no_set_up(clone: Clone) -> None:
    """Whatever part of it fails, the next call repeats it."""
    for fails in ("-r requirements.lock", "-r requirements-map.lock", "--editable"):
        assert clone.set_up("run", FAILS=fails)[0] == 1
    assert "--editable" in clone.set_up("run")[2]


def test_two_set_ups_wait_for_each_other(clone: Clone) -> None:
    """The second says so, and continues when the first has ended."""
    with (clone.root / ".set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = clone.start("run")
        assert second.stdout is not None
        assert second.stdout.readline() == "Another set-up runs in this folder. Waiting until it ends ...\n"
        assert not (clone.root / ".venv/set-up.run").exists()
    rest, _ = second.communicate(timeout=WITHIN)
    assert second.returncode == 0
    assert rest.endswith("The set-up is complete.\n")


@pytest.mark.parametrize("home", [None, ""])
def test_the_home_may_be_missing(clone: Clone, home: str | None) -> None:
    """Then pip and npm get one inside .venv."""
    status, printed, calls = clone.set_up("run", HOME=home)
    assert status == 0, printed
    assert f"{clone.root}/.venv/tmp: -m pip install" in calls


def test_a_full_disk_is_named_before_anything_is_installed(clone: Clone, tmp_path: Path) -> None:
    """The set-up says how much it needs and how much there is."""
    df = tmp_path / "df"
    df.write_text("#!/bin/sh\necho Filesystem 1024-blocks Used Available\necho disk 999999 959039 40960\n")
    df.chmod(0o755)
    status, printed, calls = clone.set_up("run", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert status == 1
    assert f"The disk of {clone.root} is too full: the set-up needs " in printed
    assert "and 40 MB are free" in printed
    assert "pip install" not in calls


def test_a_missing_network_is_named_before_anything_is_installed(clone: Clone) -> None:
    """One attempt shows it, not minutes of them for each package."""
    status, printed, calls = clone.set_up("run", FAILS="pip download")
    assert status == 1
    assert "pip reaches no index" in printed
    assert "HTTPS_PROXY" in printed
    assert "pip install" not in calls


def test_the_attempt_names_a_package_of_the_lock_file(clone: Clone) -> None:
    """An empty name would let pip fail with its usage."""
    (call,) = [call for call in clone.set_up("run")[2].splitlines() if "pip download" in call]
    assert call.split()[-1] in (ROOT / "requirements.lock").read_text().split()
