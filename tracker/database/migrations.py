"""Migrations: apply sql/migrations/NNNN_what.sql in order, each once, forward only."""

import hashlib
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from tracker.database.connection.errors import storage_errors
from tracker.database.connection.opening import connect
from tracker.database.queries import sql
from tracker.errors import ConfigError
from tracker.system.package_files import folder

if TYPE_CHECKING:
    from tracker.database.connection.session import Session

OLDEST_SERVER: Final = 15
LOCK_TIMEOUT: Final = 300.0  # seconds that another node may take for its migrations


class Migration(msgspec.Struct, frozen=True):
    """One file, which must not change once it was applied."""

    name: str
    script: str

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.script.encode()).digest()


def migrations() -> list[Migration]:
    """Return all migrations in the order in which they are applied."""
    paths = sorted((folder("sql") / "migrations").glob("*.sql"))
    return [Migration(path.name, path.read_text("utf-8")) for path in paths]


async def migrate(url: str, only: Container[str] | None = None) -> list[str]:
    """Apply the missing migrations, or *only* some, and return the names of those that this call applied.

    Each file is one transaction: after a failure, the files before it stay applied. Nodes that start at once
    take turns, by a lock that ends with the transaction, so a pooler may stand between. Unknown names belong
    to a newer version and are ignored. Raises StorageUnavailable, and ConfigError if a file fails or was
    changed after it was applied, or if the server is too old.
    """
    done: list[str] = []
    async with connect(url) as session, _rights_named():
        _check_version(session)
        with storage_errors():
            while (name := await _apply_next(session, only)) is not None:
                done.append(name)
    return done


def _check_version(session: "Session") -> None:
    version = session.get_server_version().major
    if version < OLDEST_SERVER:
        raise ConfigError("DATABASE_URL", f"is PostgreSQL {version}; {OLDEST_SERVER} or newer is needed")


async def _apply_next(session: "Session", only: Container[str] | None) -> str | None:
    """Apply the first missing migration; None if none is missing."""
    async with session.transaction():
        await session.fetchval(sql("lock_migrations"), timeout=LOCK_TIMEOUT)
        await session.execute(sql("create_migrations"))
        rows = await session.fetch(sql("select_migrations"))
        todo = missing(migrations(), {row["name"]: row["checksum"] for row in rows})
        todo = [migration for migration in todo if only is None or migration.name in only]
        if not todo:
            return None
        await _apply(session, todo[0])
        return todo[0].name


async def pending(url: str) -> list[str]:
    """Return what `migrate` would apply; change nothing. Raises StorageUnavailable, ConfigError."""
    return [migration.name for migration in missing(migrations(), await applied_migrations(url))]


async def applied_migrations(url: str) -> dict[str, bytes]:
    """Return the checksums of what is applied, by name. Raises StorageUnavailable, ConfigError."""
    async with connect(url) as session, _rights_named():
        _check_version(session)
        with storage_errors():
            begun = await session.fetchval(sql("has_migrations"))
            rows = await session.fetch(sql("select_migrations")) if begun else []
    return {row["name"]: row["checksum"] for row in rows}


def missing(known: list[Migration], applied: Mapping[str, bytes]) -> list[Migration]:
    """Return the migrations that are not applied. Raises ConfigError if an applied one was changed."""
    for migration in known:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            why = "was changed after it had been applied; restore it, and put the change into a new file"
            raise ConfigError(f"sql/migrations/{migration.name}", why)
    return [migration for migration in known if migration.name not in applied]


@asynccontextmanager
async def _rights_named() -> AsyncIterator[None]:
    """Turn a missing privilege into a ConfigError with the GRANT statement that fixes it."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        why = f"{error}; as the owner of the database run GRANT CREATE ON SCHEMA public TO its user"
        raise ConfigError("DATABASE_URL", why) from error


async def _apply(session: "Session", migration: Migration) -> None:
    try:
        await session.execute(migration.script)
        await session.execute(sql("insert_migration"), migration.name, migration.checksum)
    except asyncpg.InsufficientPrivilegeError:
        raise
    except (asyncpg.SyntaxOrAccessError, asyncpg.IntegrityConstraintViolationError) as error:
        raise ConfigError(f"sql/migrations/{migration.name}", f"failed: {error}") from error
