"""StoredKeys: questions about late fixes share statements, and none is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.waiting import until
from tracker.errors import StorageUnavailable
from tracker.live.drivers.stored_keys import StoredKeys

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def key(n: int) -> datetime:
    return NOW + timedelta(seconds=n)


class Table:
    """Queries that know one statement: it answers when it may, and lists what it was asked."""

    def __init__(self, *stored: datetime) -> None:
        self.stored, self.asked = set(stored), list[list[datetime]]()
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self, name: str, *args: Any) -> list[Any]:
        _, keys, first, last, ahead = args
        self.asked.append(sorted(keys))
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        assert (name, first, last) == ("select_stored_keys", min(keys), max(keys))
        later = sorted(one for one in self.stored if one > last)[:ahead]
        return [{"recorded_at": one} for one in [*(one for one in keys if one in self.stored), *later]]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not called")


async def test_questions_that_come_meanwhile_are_asked_together() -> None:
    """Of ten at once the first is asked by itself, and the other nine in one statement."""
    table, keys = Table(key(0), key(5)), StoredKeys()
    tasks = [asyncio.create_task(keys.find(table, 1, {key(n)})) for n in range(10)]
    await until(lambda: bool(table.asked))
    table.may_answer.set()
    found = await asyncio.gather(*tasks)
    assert len(table.asked) <= 2
    assert [key(n) in answer for n, answer in enumerate(found)] == [n in {0, 5} for n in range(10)]


async def test_a_question_whose_asker_leaves_is_asked_again() -> None:
    """A connection that ends while its task asks for several takes no answer along."""
    table, keys = Table(key(1)), StoredKeys()
    first = asyncio.create_task(keys.find(table, 1, {key(0)}))
    second = asyncio.create_task(keys.find(table, 1, {key(1)}))
    await until(lambda: bool(table.asked))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    table.may_answer.set()
    assert key(1) in await second


async def test_without_the_database_nothing_is_known_to_be_stored() -> None:
    """The fixes are then judged by each other, and recording them fails until it is back."""
    table, keys = Table(key(0)), StoredKeys()
    table.error = StorageUnavailable("away")
    table.may_answer.set()
    assert await keys.find(table, 1, {key(0)}) == set()


async def test_a_day_sent_again_is_read_ahead() -> None:
    """After the first hit, a statement also brings the keys that follow; new fixes are still told apart."""
    table, keys = Table(*(key(2 * n) for n in range(1_000))), StoredKeys()
    table.may_answer.set()
    for n in range(2_000):
        assert (key(n) in await keys.find(table, 1, {key(n)})) == (n % 2 == 0)
    assert len(table.asked) < 1_020  # one for each new fix, and one for every 250 stored ones


async def test_what_is_known_is_bounded() -> None:
    """Large batches are not kept."""
    table, keys = Table(*(key(n) for n in range(5_000))), StoredKeys()
    table.may_answer.set()
    wanted = {key(n) for n in range(5_000)}
    assert await keys.find(table, 1, wanted) == wanted
    assert await keys.find(table, 1, {key(7)}) >= {key(7)}
    assert len(table.asked) == 2
