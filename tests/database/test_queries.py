"""The named statements: each is there, and the database understands each."""

import re

import asyncpg
import pytest

from tracker.database import Database
from tracker.database.queries import sql, statements
from tracker.system.package_files import folder
from tracker.system.sql_files import parse


async def test_every_statement_prepares(database: Database) -> None:
    """No statement names a table, column or type that the migrated schema lacks."""
    wrong = []
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("create_incoming"))  # a table of the transaction that some work on
        for name, statement in statements().items():
            try:
                async with connection.transaction():
                    await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                wrong.append(f"{name}: {error}")
    assert not wrong


def test_an_unknown_name_is_named() -> None:
    """Asking for a statement that isn't there says which."""
    with pytest.raises(KeyError, match="no_such_statement"):
        sql("no_such_statement")


def test_statements_are_cut_at_their_names() -> None:
    """A statement reaches to the next name, without its semicolon."""
    text = "-- head\n-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT 2\n"
    assert parse(text) == {"one": "SELECT 1", "two": "-- why\nSELECT 2"}


@pytest.mark.parametrize(
    "text", ["-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "-- name: a\n-- name: b\nSELECT 1"]
)
def test_doubled_and_empty_names_are_refused(text: str) -> None:
    """A name stands for exactly one statement."""
    with pytest.raises(ValueError, match="'a'"):
        parse(text)


def test_a_name_stands_in_one_file_only() -> None:
    """The files together hold every statement once."""
    files = sorted((folder("sql") / "queries").glob("*.sql"))
    names = [name for file in files for name in parse(file.read_text("utf-8"))]
    assert len(files) > 5
    assert sorted(names) == sorted(statements())


@pytest.mark.parametrize("name", sorted(statements()))
def test_nothing_outlives_a_transaction(name: str) -> None:
    """A pooler gives the session to somebody else: no lock, setting, listener or table of the session."""
    statement = re.sub(r"--.*", "", statements()[name])
    assert not re.search(r"\bpg_(try_)?advisory_lock\b|\b(UN)?LISTEN\b|\bWITH HOLD\b|\bPREPARE\b", statement)
    assert not re.search(r"^\s*SET\s+(?!LOCAL)", statement)
    assert not re.search(r"set_config\([^)]*false\)", statement)
    if re.search(r"CREATE\s+TEMP", statement):
        assert "ON COMMIT DROP" in statement
