"""The set-up with the real pip, on packages that the test writes; see also `tests/test_set_up_faults.py`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clone import WITHIN, Clone

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone whose product is set up. Each test leaves it so."""
    clone = Clone(tmp_path_factory.mktemp("set_up") / "clone")
    done = clone.set_up("run")
    assert done.returncode == 0, done.stdout
    assert clone.imports("product")
    assert clone.imports("streets")
    return clone


@pytest.fixture
def clone(set_up: Clone) -> Iterator[Clone]:
    yield set_up
    assert set_up.set_up("run").stdout == "", "the product is set up no more"
    assert set_up.imports("h11")


def test_a_failure_of_the_tools_leaves_the_product_set_up(clone: Clone) -> None:
    """An index that lacks a package fails `make test` only; the next one continues."""
    wheel = clone.without_wheel("tool")
    failed = clone.set_up("dev")
    wheel.rename(clone.root.parent / "wheels" / wheel.name)
    assert failed.returncode == 1
    assert "The set-up failed." in failed.stdout
    assert clone.set_up("run").stdout == ""
    assert clone.set_up("dev").returncode == 0
    assert clone.imports("tool")


def test_a_package_that_was_installed_halfway_is_installed_again(clone: Clone) -> None:
    """pip takes a package for installed once its metadata is there; the set-up looks at its files."""
    (module,) = (clone.root / ".venv").glob("lib/python*/site-packages/h11.py")
    module.write_text("VAL")
    for stamp in clone.root.glob(".venv/set-up.[rd]*"):
        stamp.unlink()
    assert clone.set_up("run").returncode == 0
    assert module.read_text() == "VALUE = 1\n"


def test_a_clone_that_was_moved_is_set_up_anew(clone: Clone, tmp_path: Path) -> None:
    """The programs of a virtual environment hold its path."""
    moved = shutil.copytree(clone.root, tmp_path / "moved", symlinks=True)
    done = subprocess.run(
        ["sh", str(moved / "scripts" / "set-up.sh"), "run"],
        env=clone.environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Creating a virtual environment" in done.stdout
    assert str(moved) in (moved / ".venv" / "bin" / "pip").read_text()
