"""The one translation of asyncpg's errors."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from tracker.errors import ConfigError, StorageUnavailable

# The server is unreachable, stopping, starting, full or out of connections; a retry may succeed.
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock is not available, or the database admits nobody
    asyncpg.TransactionRollbackError,  # deadlocks
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,  # TimeoutError is one
)
# The settings are wrong; only a person can help.
_WRONG: Final = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ClientConfigurationError,
    asyncpg.InsufficientPrivilegeError,
    ssl.SSLError,
    ValueError,  # asyncpg raises it for invalid arguments
)
_FIXES: Final = (
    ("password authentication failed", "correct the user or the password"),
    ("no password was provided|empty password", "give a password"),
    ("database .* does not exist|no such database", "create it, or correct its name"),
    ("role .* does not exist|no such user", "create the user, or correct its name"),
    ("SASL authentication failed", "correct the user or the password"),
    ("SSL required", "use sslmode=require"),
    ("pg_hba.conf", "allow this user, database and address there"),
    ("CERTIFICATE_VERIFY_FAILED|certificate verify failed", "check sslrootcert and the host's name"),
    ("unsupported startup parameter", "remove it, or add it to ignore_startup_parameters of PgBouncer"),
)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate every error that means an unavailable database to StorageUnavailable."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, ValueError):  # asyncpg's client-side DataError: a wrong argument
            raise
        raise StorageUnavailable(f"The database does not answer ({type(error).__name__}).") from error


@contextmanager
def url_errors(setting: str) -> Iterator[None]:
    """Translate errors about the setting's URL to ConfigError, connection errors to StorageUnavailable."""
    try:
        yield
    except _WRONG as error:
        raise ConfigError(setting, "; ".join(filter(None, (str(error), _fix(error))))) from error
    except asyncpg.ProtocolViolationError as error:  # the SQLSTATE of every refusal by PgBouncer
        if fix := _fix(error):
            raise ConfigError(setting, f"{error}; {fix}") from error
        raise _unavailable(setting, str(error)) from error
    except _AWAY as error:
        if "SSL upgrade" in str(error):
            why = f"{error}; leave out sslmode, or turn on TLS at the server"
            raise ConfigError(setting, why) from error
        raise _unavailable(setting, str(error) or type(error).__name__) from error


def _fix(error: Exception) -> str:
    """Return what the operator can do; "" if that is unknown."""
    return next((fix for pattern, fix in _FIXES if re.search(pattern, str(error))), "")


def _unavailable(setting: str, what: str) -> StorageUnavailable:
    why = f"The database does not answer ({what}); is it running, and is {setting} right?"
    return StorageUnavailable(why)
