"""The statements of sql/queries.sql, by name. Each stands below a line `-- name: insert_driver`."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from tracker.system.package_files import folder

_NAME_LINE = re.compile(r"^-- name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


def sql(name: str) -> str:
    """The statement of that name; KeyError where sql/queries.sql has none."""
    try:
        return statements()[name]
    except KeyError:
        raise KeyError(f"sql/queries.sql has no statement named {name!r}") from None


@cache
def statements() -> Mapping[str, str]:
    """Every statement by its name, read once."""
    return MappingProxyType(parse((folder("sql") / "queries.sql").read_text("utf-8")))


def parse(text: str) -> dict[str, str]:
    """Cuts a file into its named statements; ValueError where a name comes twice or has nothing below it."""
    _, *pieces = _NAME_LINE.split(text)
    found: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        statement = body.strip().removesuffix(";").rstrip()
        if name in found:
            raise ValueError(f"two statements are named {name!r}")
        if not statement:
            raise ValueError(f"the statement {name!r} is empty")
        found[name] = statement
    return found
