"""Whether a URL leads to a replica of this database."""

from typing import Final

from tracker.database.connection.errors import storage_errors
from tracker.database.connection.opening import connect
from tracker.database.pool import Database
from tracker.database.queries import sql
from tracker.errors import ConfigError

SETTING: Final = "DATABASE_REPLICA_URL"


async def check_identity(url: str, primary: Database) -> bool:
    """Return whether the server is a replica now. Raises ConfigError for another database than the primary's.

    Raises StorageUnavailable if one of the two servers does not answer.
    """
    mine = await primary.fetchrow("select_identity")
    assert mine is not None
    async with connect(url, SETTING) as session:
        with storage_errors():
            its = await session.fetchrow(sql("select_identity"))
    for name, what in (("system_identifier", "server"), ("name", "database")):
        if its[name] != mine[name]:
            why = f"leads to another {what} than DATABASE_URL; give a streaming replica of that database"
            raise ConfigError(SETTING, why)
    return bool(its["is_replica"])
