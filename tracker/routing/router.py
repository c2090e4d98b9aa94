"""Router: the engine behind `await`, a few threads wide."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from threading import local
from typing import Final

from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.errors import NoRoute, RouterUnavailable
from tracker.mapfile import MapFile
from tracker.routing.engine import Engine
from tracker.routing.tiles import prepare_tiles

THREADS: Final = 2
TIME_OUT: Final = 5.0  # seconds, waiting for a thread included


class Router:
    """Routes on one extract; calls of several tasks at once are fine.

    Every thread has an engine of its own, because one that two threads share crashes the process.
    """

    def __init__(self, configuration: Path) -> None:
        self._configuration = configuration
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="router")
        self._own = local()

    @classmethod
    @asynccontextmanager
    async def open(cls, map_file: MapFile, on_progress: Callable[[str], None]) -> AsyncIterator["Router"]:
        """Builds the tiles if this extract has none yet, and tells so. Raises RouterUnavailable."""
        router = cls(await prepare_tiles(map_file, on_progress))
        try:
            await router._run(router._engine)
            yield router
        finally:
            router._threads.shutdown(wait=False, cancel_futures=True)

    async def route(
        self, places: Sequence[LonLat], vehicle: Vehicle, *, edges: bool = False
    ) -> tuple[Leg, ...]:
        """One leg between each two of the places, in their order; with `edges` also street by street.

        Raises NoRoute where a place is more than 300 m from any street or cannot be reached, and
        RouterUnavailable where there is no answer within 5 s.
        """
        if len(places) < 2:
            raise NoRoute("A route needs at least two places.")
        return await self._run(lambda: self._engine().route(places, vehicle, edges=edges))

    def _engine(self) -> Engine:
        """The engine of the thread that asks."""
        if not hasattr(self._own, "engine"):
            self._own.engine = Engine(self._configuration)
        engine: Engine = self._own.engine
        return engine

    async def _run[T](self, call: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.wait_for(running, TIME_OUT)
        except TimeoutError as error:
            raise RouterUnavailable(f"The router gave no answer within {TIME_OUT:.0f} s.") from error
