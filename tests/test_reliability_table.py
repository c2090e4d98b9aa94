"""docs/reliability.md: every fault names a test that there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| `([\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)
LINE = re.compile(r"^\| \d+ \|.*$", re.MULTILINE)
TEXT = (ROOT / "docs/reliability.md").read_text("utf-8")
LEAST = 40


@cache
def functions(file: str) -> frozenset[str]:
    """The tests of a file; the table leaves out its folder where the name alone is clear."""
    found = [path for path in (ROOT / "tests").rglob("*.py") if str(path).endswith(f"/{file}")]
    assert len(found) == 1, f"{file}: {len(found)} such files"
    tree = ast.parse(found[0].read_text("utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize(("file", "name"), sorted({row[3:] for row in ROW.findall(TEXT)}))
def test_a_named_test_exists(file: str, name: str) -> None:
    """Whoever renames or removes a test learns what it proved."""
    assert name in functions(file)


def test_every_row_is_whole() -> None:
    """At least forty faults, numbered through, each with what happens, what comes of it, and a test."""
    numbers = [int(row[0]) for row in ROW.findall(TEXT)]
    assert len(LINE.findall(TEXT)) == len(numbers)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= LEAST


def test_no_fault_is_counted_twice() -> None:
    """Each row is another fault."""
    faults = [row[1] for row in ROW.findall(TEXT)]
    assert len(set(faults)) == len(faults)
