"""Files of SQL statements, by name. Each statement follows a line such as `-- name: insert_driver`."""

import re
from typing import Final

_NAME_LINE: Final = re.compile(r"^-- name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Split a file into its named statements. Raises ValueError for a duplicate or empty statement."""
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
