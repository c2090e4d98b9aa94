"""Drivers' tokens, and the pairing codes that give a phone one. Both are stored as SHA-256."""

from datetime import datetime
from typing import Final, NamedTuple

from tracker.database.drivers import driver_of
from tracker.database.pool import Queries
from tracker.domain.order import Driver
from tracker.tokens import DriverTokenHashes

MOST_TOKENS: Final = 5  # of one driver


async def select_driver_by_token(queries: Queries, token_hash: bytes, now: datetime) -> Driver | None:
    """Return the driver with this token, and note its use; None if the token is unknown or was replaced."""
    row = await queries.fetchrow("select_driver_by_token", token_hash, now)
    return None if row is None else driver_of(row)


class MqttAccount(NamedTuple):
    """An account at an MQTT broker: of a driver, with the hashes of the newest token, or of the service.

    The hashes are None if the token is from before the service stored them.
    """

    name: str  # a driver's id
    mosquitto: str | None
    bcrypt: str | None


async def select_mqtt_accounts(queries: Queries) -> list[MqttAccount]:
    """Return the accounts of all drivers with a token, oldest driver first."""
    return [MqttAccount(*row) for row in await queries.fetch("select_mqtt_accounts")]


async def insert_driver_token(
    queries: Queries, number: int, hashes: DriverTokenHashes, now: datetime
) -> list[bytes]:
    """Give a driver one more token; return the hashes of those that it replaces.

    With MOST_TOKENS already there, it replaces the one whose last use is longest ago.
    """
    spare = await queries.fetch("delete_spare_driver_tokens", number, MOST_TOKENS - 1)
    await _insert(queries, number, hashes, now)
    return [row["token_hash"] for row in spare]


async def replace_driver_tokens(
    queries: Queries, number: int, hashes: DriverTokenHashes, now: datetime
) -> None:
    """Make this the only token of a driver that the caller has locked, and void an open pairing code.

    The code goes first: a phone that is using it commits its token before, which is then deleted too.
    """
    await queries.execute("delete_pairing_code", number)
    await queries.execute("delete_driver_tokens", number)
    await _insert(queries, number, hashes, now)


async def _insert(queries: Queries, number: int, hashes: DriverTokenHashes, now: datetime) -> None:
    await queries.execute("insert_driver_token", hashes.token, number, now, hashes.mosquitto, hashes.bcrypt)


async def upsert_pairing_code(queries: Queries, number: int, code_hash: bytes, expires_at: datetime) -> None:
    """Store the code of a driver that the caller has locked; it replaces an earlier one."""
    await queries.execute("upsert_pairing_code", number, code_hash, expires_at)


async def select_pairing_code(queries: Queries, code_hash: bytes, now: datetime) -> bool:
    """Return whether the code is known and not expired. It may be used."""
    return await queries.fetchval("select_pairing_code", code_hash, now) is not None


async def use_pairing_code(queries: Queries, code_hash: bytes, now: datetime) -> Driver | None:
    """Use up the code in this transaction and return its driver; None if it is used, expired or unknown.

    Waits while another transaction uses the same code. The driver is locked first, as everywhere else.
    """
    row = await queries.fetchrow("lock_driver_of_pairing_code", code_hash, now)
    if row is None or await queries.fetchval("use_pairing_code", code_hash, now) is None:
        return None
    return driver_of(row)
