"""Storing fixes: a batch of many drivers' rows in one commit, each key (driver, recorded_at) once.

A batch of few rows is one statement: one round trip, and a quarter of the processor time of a transaction.

More rows go by binary COPY, which stores them at half the cost. It fails as a whole if the table holds one of
the keys. The batch is then repeated through a temporary table with ON CONFLICT DO NOTHING. Duplicates are
rare: they follow a lost connection.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from struct import Struct
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from tracker.database.connection.errors import storage_errors
from tracker.database.pool import Connection, in_transaction
from tracker.domain.tracks.device_clock import FUTURE_LIMIT
from tracker.domain.tracks.fix import JudgedFix

if TYPE_CHECKING:
    from tracker.database.pool import Raw

# A row's key: drivers.number, and recorded_at in microseconds since 2000 (UTC), as PostgreSQL keeps time.
type Key = tuple[int, int]

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
FEW: Final = 64  # rows that one statement takes
DAY: Final = 86_400_000_000  # microseconds
LARGEST_REAL: Final = 3.4e38
_MICROSECOND: Final = timedelta(microseconds=1)

_COLUMNS: Final = 12  # of the table fixes, in its order
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_END: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_KEY: Final = Struct("!hiqiqiqidid")  # columns up to lon, each value after its length
_REAL: Final = Struct("!if")
_TIME: Final = Struct("!iq")
_WHOLE: Final = Struct("!hiqiqiqididififififif")  # columns up to battery, none of them NULL


class Batch:
    """The content of one commit. Of two rows with the same key the first is kept."""

    __slots__ = ("newest", "replacing", "rows", "verdicts")

    def __init__(self) -> None:
        self.rows: dict[Key, tuple[JudgedFix, int]] = {}  # with the microseconds of receipt since 2000
        self.newest: dict[int, JudgedFix] = {}  # by driver: the newest believed fix
        self.replacing: dict[int, JudgedFix] = {}  # the same, if it is older than the stored one
        self.verdicts: dict[Key, str | None] = {}  # changed verdicts of fixes that may be stored

    def add(self, key: Key, judged: JudgedFix, received_at: int) -> bool:
        """Add a row. Return False if the batch has its key already."""
        if key in self.rows:
            return False
        self.rows[key] = judged, received_at
        return True

    def add_state(self, driver: int, judged: JudgedFix) -> None:
        newest = self.newest.get(driver)
        if newest is None or judged.at > newest.at:
            self.newest[driver] = judged

    def add_verdict(self, driver: int, judged: JudgedFix) -> None:
        """Add a verdict that differs from the fix's first one."""
        self.verdicts[driver, microseconds(judged.sent_at)] = judged.doubt

    def keep(self, drivers: set[int]) -> None:
        """Remove the data of all other drivers."""
        self.rows = {key: row for key, row in self.rows.items() if key[0] in drivers}
        self.newest = {driver: state for driver, state in self.newest.items() if driver in drivers}
        self.replacing = {driver: state for driver, state in self.replacing.items() if driver in drivers}
        self.verdicts = {key: doubt for key, doubt in self.verdicts.items() if key[0] in drivers}

    @property
    def newest_are_rows(self) -> bool:
        """Whether each driver's newest fix is a row: it is none if an equal key came first."""
        return all(
            self.rows.get((driver, microseconds(judged.sent_at)), (None,))[0] is judged
            for driver, judged in self.newest.items()
        )

    @property
    def drivers(self) -> set[int]:
        return {driver for driver, _ in self.rows}

    @property
    def days(self) -> set[date]:
        """The UTC days of the rows."""
        return {EPOCH.date() + timedelta(days=number) for number in {at // DAY for _, at in self.rows}}


class Stored(msgspec.Struct, frozen=True):
    """What a commit added: all keys of these drivers, or only those in `keys`."""

    drivers: set[int]  # those that still exist
    keys: set[Key] | None  # None: all of them
    fenced: set[int] = set()  # drivers whose trips another node owns; nothing of them was stored

    def __contains__(self, key: Key) -> bool:
        return key[0] in self.drivers if self.keys is None else key in self.keys


def microseconds(at: datetime) -> int:
    """Return the microseconds since 2000-01-01 UTC of an aware time."""
    passed = at - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def pack(key: Key, judged: JudgedFix, received_at: int) -> bytes:
    """Pack a row of `fixes` for binary COPY. Values outside the range of `real` become NULL.

    *received_at* is in microseconds since 2000.
    """
    fix, (driver, recorded_at) = judged.fix, key
    head = (_COLUMNS, 8, driver, 8, recorded_at, 8, received_at, 8, fix.lat, 8, fix.lon)
    a, s, h, z, b = fix.accuracy, fix.speed, fix.heading, fix.altitude, fix.battery
    try:
        if a is None or s is None or h is None or z is None or b is None:
            row = _KEY.pack(*head) + b"".join(map(_real, (a, s, h, z, b)))
        else:
            row = _WHOLE.pack(*head, 4, a, 4, s, 4, h, 4, z, 4, b)
    except OverflowError:
        row = _KEY.pack(*head) + b"".join(_real(_possible(value)) for value in (a, s, h, z, b))
    at = _corrected_at(judged)
    return row + _text(judged.doubt) + (_NULL if at is None else _TIME.pack(8, microseconds(at)))


def _corrected_at(judged: JudgedFix) -> datetime | None:
    """Return the corrected time. None within FUTURE_LIMIT, by which any device may be ahead."""
    is_corrected = judged.sent_at is not judged.fix.recorded_at and abs(judged.correction) > FUTURE_LIMIT
    return judged.fix.recorded_at if is_corrected else None


def _real(value: float | None) -> bytes:
    return _NULL if value is None else _REAL.pack(4, value)


def _possible(value: float | None) -> float | None:
    return value if value is not None and abs(value) < LARGEST_REAL else None


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = _clean(value)
    return len(data).to_bytes(4) + data


def _clean(value: str) -> bytes:
    """Return text that PostgreSQL can hold."""
    return value.replace("\0", "").encode("utf-8", "replace")


async def store(raw: "Raw", batch: Batch, node: str = "") -> Stored:
    """Commit the batch without the rows of erased drivers, and of trips that another node than *node* owns.

    Raises StorageUnavailable.

    After that error the commit may still have succeeded. Storing the batch again is safe.
    """
    connection = Connection(raw)
    if len(batch.rows) <= FEW and not batch.verdicts and batch.newest_are_rows:
        return await _insert(connection, batch, node)
    with suppress(asyncpg.UniqueViolationError):
        async with in_transaction(raw):
            drivers, fenced = await _living(connection, batch, node)
            await _copy(raw, "fixes", batch.rows)
            await _after_rows(connection, batch)
        return Stored(drivers, None, fenced)
    async with in_transaction(raw):
        drivers, fenced = await _living(connection, batch, node)
        await connection.execute("create_incoming")
        await _copy(raw, "incoming", batch.rows)
        new = await connection.fetch("insert_incoming")
        await _after_rows(connection, batch)
    return Stored(drivers, {(row["driver"], microseconds(row["recorded_at"])) for row in new}, fenced)


async def _insert(connection: Connection, batch: Batch, node: str) -> Stored:
    """Commit few rows and the drivers' newest fixes with one statement."""
    rows = [_columns(key, *batch.rows[key], batch.newest.get(key[0])) for key in sorted(batch.rows)]
    row = await connection.fetchrow("insert_fixes", *map(list, zip(*rows, strict=True)), node)
    assert row is not None  # aggregates return a row
    keys = None
    if not row["all_new"]:
        keys = {
            (driver, microseconds(at))
            for driver, at in zip(row["drivers"] or (), row["times"] or (), strict=True)
        }
    return Stored(set(row["alive"] or ()), keys, set(row["fenced"] or ()))


def _columns(key: Key, judged: JudgedFix, _received: int, newest: JudgedFix | None) -> tuple[object, ...]:
    """Return the parameters of `insert_fixes` for one row."""
    fix, doubt = judged.fix, judged.doubt
    return (
        key[0],
        judged.sent_at,
        judged.received_at,
        fix.lat,
        fix.lon,
        *map(_possible, (fix.accuracy, fix.speed, fix.heading, fix.altitude, fix.battery)),
        None if doubt is None else _clean(doubt).decode(),
        _corrected_at(judged),
        fix.recorded_at if judged is newest else None,
    )


async def _living(connection: Connection, batch: Batch, node: str) -> tuple[set[int], set[int]]:
    """Remove the rows of erased and fenced drivers; return the other drivers, and the fenced ones.

    The others are locked against erasure and another owner until the commit.
    """
    rows = await connection.fetch("lock_drivers_of_fixes", list(batch.drivers), node)
    living = {row["number"] for row in rows if not row["fenced"]}
    batch.keep(living)
    return living, {row["number"] for row in rows if row["fenced"]}


async def _copy(raw: "Raw", table: str, rows: dict[Key, tuple[JudgedFix, int]]) -> None:
    """Copy the rows in the order of their keys, so that two batches with equal rows cannot deadlock."""
    with storage_errors():
        packed = (pack(key, *rows[key]) for key in sorted(rows))
        await raw.copy_to_table(table, source=_pieces(packed), format="binary")


async def _pieces(rows: Iterable[bytes]) -> AsyncIterator[bytes]:
    yield b"".join((_SIGNATURE, *rows, _END))


async def _after_rows(connection: Connection, batch: Batch) -> None:
    """Update the drivers' newest fixes and the changed verdicts."""
    await _write_states(connection, "upsert_driver_states", batch.newest)
    if batch.verdicts:
        keys = sorted(batch.verdicts)
        await connection.execute(
            "update_verdicts",
            [driver for driver, _ in keys],
            [EPOCH + at * _MICROSECOND for _, at in keys],
            [batch.verdicts[key] for key in keys],
        )
        await _write_states(connection, "replace_driver_states", batch.replacing)
        await connection.execute("count_rejudgements", sorted({driver for driver, _ in keys}))


async def _write_states(connection: Connection, statement: str, states: dict[int, JudgedFix]) -> None:
    if states:
        rows = [_state(driver, judged) for driver, judged in states.items()]
        await connection.execute(statement, *map(list, zip(*rows, strict=True)))


def _state(driver: int, judged: JudgedFix) -> tuple[object, ...]:
    fix, received_at = judged.fix, judged.received_at
    optional = map(_possible, (fix.accuracy, fix.speed, fix.heading, fix.altitude, fix.battery))
    return (driver, fix.recorded_at, received_at, fix.lat, fix.lon, *optional)
