"""The SQL statements of the address index, and how its files are opened."""

import sqlite3
from functools import cache
from pathlib import Path
from typing import Final

from tracker.system.package_files import folder
from tracker.system.sql_files import parse

VERSION: Final = "2"  # of the tables and words; another one is built again
CACHE_KB: Final = 4_096  # of pages that a reader keeps; the operating system caches the rest
BUILD_CACHE_KB: Final = 65_536


@cache
def sql(name: str) -> str:
    """Return a statement of `sql/geocoder`. Raises KeyError."""
    return parse((folder("sql") / "geocoder" / "index.sql").read_text("utf-8"))[name]


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a finished index. Threads may share the connection if they take turns. Raises sqlite3.Error."""
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, cached_statements=64)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a new index without a journal: an interrupted build starts again."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{BUILD_CACHE_KB}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
