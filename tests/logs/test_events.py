"""The events of the log: each is explained in docs/observability.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = ("debug", "info", "warning", "error")
CALLS = {"write", "_log_refusal", *(f"{name}.{level}" for name in ("log", "_log") for level in LEVELS)}
NAMED = {"delayed", "failed"}  # arguments of WriteBehind


def events() -> Iterator[str]:
    """The names of all events that the service can log."""
    for path in (ROOT / "tracker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            for keyword in node.keywords:
                if keyword.arg in NAMED and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)
            first = node.args[0] if node.args else None
            if ast.unparse(node.func) in CALLS and isinstance(first, ast.Constant):
                yield str(first.value)


def test_every_event_is_explained() -> None:
    """An operator who finds one in the log finds it in the docs, and no other."""
    page = (ROOT / "docs" / "observability.md").read_text("utf-8").partition("### Events")[2]
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == set(events())
    assert len(explained) > 40
