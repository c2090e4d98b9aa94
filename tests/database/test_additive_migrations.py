"""Migrations leave what the version before them needs: a rolling update runs both on one schema."""

import re

import pytest

from tracker.database.migrations import Migration, migrations

FIRST = "0032"  # earlier ones were applied with all nodes stopped
SECOND_STEP = re.compile(r"^-- Second step: .+", re.MULTILINE)
CREATED = re.compile(r"\bCREATE TABLE(?: IF NOT EXISTS)? (\w+)", re.IGNORECASE)
REPLACED = re.compile(r"\bDROP CONSTRAINT(?: IF EXISTS)? (\w+)", re.IGNORECASE)
# What breaks a running node of the version before: it reads or writes what is gone, or writes too little.
BREAKING = {
    "drops a table or column": r"\bDROP (?:TABLE|COLUMN)\b()",
    "renames": r"\bRENAME\b()",
    "changes a type": r"\bALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b()",
    "needs a value": r"\bSET NOT NULL\b()|\bADD COLUMN(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT NULL\b()",
    "drops a default": r"\bDROP DEFAULT\b()",
    "drops a function": r"\bDROP FUNCTION\b()",
    "adds a constraint": r"\bADD (?:CONSTRAINT (\w+)|CHECK|UNIQUE|PRIMARY|FOREIGN)",
    "makes old rows unique": r"\bCREATE UNIQUE INDEX \w+ ON (\w+)",
}


def breaks(migration: Migration) -> list[str]:
    """What a migration does that the version before may not survive; nothing if it is a second step."""
    if SECOND_STEP.search(migration.script):
        return []
    statements = re.sub(r"--.*", "", migration.script)
    harmless = {*CREATED.findall(statements), *REPLACED.findall(statements)}  # new tables; wider constraints
    return [
        what
        for what, pattern in BREAKING.items()
        for match in re.finditer(pattern, statements, re.IGNORECASE)
        if match[1] not in harmless
    ]


@pytest.mark.parametrize(
    "migration", [one for one in migrations() if one.name >= FIRST], ids=lambda one: one.name
)
def test_a_migration_leaves_what_the_version_before_needs(migration: Migration) -> None:
    """Otherwise it is a second step, and says so."""
    assert breaks(migration) == []


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE orders DROP COLUMN pin;",
        "DROP TABLE proofs;",
        "ALTER TABLE orders RENAME COLUMN pin TO code;",
        "ALTER TABLE orders ALTER COLUMN pin TYPE integer USING pin::integer;",
        "ALTER TABLE orders ADD COLUMN floor integer NOT NULL;",
        "ALTER TABLE orders ADD COLUMN a text DEFAULT 'x', ADD COLUMN floor integer NOT NULL;",
        "ALTER TABLE orders ALTER COLUMN pin SET NOT NULL;",
        "ALTER TABLE orders ADD CONSTRAINT pins CHECK (length(pin) = 4);",
        "CREATE UNIQUE INDEX orders_by_pin ON orders (pin);",
    ],
)
def test_what_breaks_the_version_before_is_found(script: str) -> None:
    """Unless the file says which version needs it no more."""
    assert len(breaks(Migration("0099_x.sql", script))) == 1
    assert breaks(Migration("0099_x.sql", f"-- Second step: nothing since 0.3.0 reads it.\n{script}")) == []


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE orders ADD COLUMN floor integer, ADD COLUMN door text NOT NULL DEFAULT '';",
        "CREATE TABLE rooms (id text NOT NULL); CREATE UNIQUE INDEX rooms_by_id ON rooms (id);",
        "DROP INDEX orders_unclosed; CREATE INDEX orders_unclosed ON orders (id);",
        "-- It does not DROP COLUMN pin.\nCREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "ALTER TABLE timeline DROP CONSTRAINT kinds; ALTER TABLE timeline ADD CONSTRAINT kinds CHECK (true);",
    ],
)
def test_what_only_adds_is_accepted(script: str) -> None:
    """New columns, tables and indexes."""
    assert breaks(Migration("0099_x.sql", script)) == []
