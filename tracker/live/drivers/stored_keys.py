"""StoredKeys: which late fixes of one driver are stored already.

Apps that send each fix by itself send a whole day again, up to ten messages at a time. So questions that come
while one is being answered share a statement, and a statement that finds stored fixes also reads those after.
"""

import asyncio
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from tracker.database import fixes
from tracker.database.pool import Queries
from tracker.errors import StorageUnavailable

AHEAD: Final = 250  # keys; a driver keeps at most twice as many, about 50 kB


class _Question:
    """The keys of one message that waits for the answer."""

    __slots__ = ("answer", "keys")

    def __init__(self, keys: AbstractSet[datetime]) -> None:
        self.keys = keys
        self.answer: AbstractSet[datetime] | None = None


class StoredKeys:
    """Answers from the keys read ahead, or asks the database. A stored fix stays stored."""

    __slots__ = ("_known", "_lock", "_waiting")

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting: list[_Question] = []
        self._known: AbstractSet[datetime] = frozenset()  # found by the last statement

    async def find(self, queries: Queries, driver: int, keys: AbstractSet[datetime]) -> AbstractSet[datetime]:
        """Return those of the keys (`sent_at`) that are stored, and perhaps others that are.

        *driver* is drivers.number. Return none while the database is unavailable.
        """
        if keys <= self._known:
            return self._known
        question = _Question(keys)
        self._waiting.append(question)
        async with self._lock:
            if question.answer is None:
                asked, self._waiting = {question, *self._waiting}, []
                found = await self._ask(queries, driver, {key for each in asked for key in each.keys})
                for each in asked:
                    each.answer = found
        assert question.answer is not None
        return question.answer

    async def _ask(self, queries: Queries, driver: int, keys: AbstractSet[datetime]) -> AbstractSet[datetime]:
        before = self._known
        if not (wanted := keys - before):
            return before
        ahead = AHEAD if before else 0
        try:
            found = await fixes.select_stored_keys(queries, driver, wanted, ahead)
        except StorageUnavailable:
            return frozenset()
        self._known = found if len(found) <= 2 * AHEAD else frozenset()
        return found | before
