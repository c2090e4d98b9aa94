"""Geocoder: finds addresses of the map, in a thread of its own, so that the event loop goes on."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

from tracker.map.geocoder.finding.index import Index, Near
from tracker.map.geocoder.finding.resolving import Resolved, resolve
from tracker.map.geocoder.finding.search import Hit, search


class Geocoder:
    """An open address index. Searches follow each other in one thread."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="geocoder")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._index.__exit__()

    def counts(self) -> dict[str, int]:
        """Return how many houses, streets, places and points of interest the index has."""
        return {kind: self._index.count(kind) for kind in ("house", "street", "place", "poi")}

    async def suggest(self, text: str, limit: int, near: Near | None = None) -> list[Hit]:
        """Return addresses for a text that somebody is typing, best first."""
        return await self._run(partial(search, self._index, text, limit, near, typing=True))

    async def resolve(self, text: str) -> Resolved:
        """Return the place that a whole address means, or else candidates."""
        return await self._run(partial(resolve, self._index, text))

    async def _run[T](self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
