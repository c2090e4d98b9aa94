"""The statements of sql/queries/*.sql, by name. Each follows a line such as `-- name: insert_driver`."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from tracker.system.package_files import folder
from tracker.system.sql_files import parse


def sql(name: str) -> str:
    """Return the statement of that name. Raises KeyError."""
    try:
        return statements()[name]
    except KeyError:
        raise KeyError(f"sql/queries has no statement named {name!r}") from None


@cache
def statements() -> Mapping[str, str]:
    """Return every statement by its name; the files are read once. Raises ValueError for a doubled name."""
    found: dict[str, str] = {}
    for path in sorted((folder("sql") / "queries").glob("*.sql")):
        for name, statement in parse(path.read_text("utf-8")).items():
            if name in found:
                raise ValueError(f"two statements are named {name!r}")
            found[name] = statement
    return MappingProxyType(found)
