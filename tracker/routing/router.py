"""Router: asynchronous calls of the engine, in a pool of a few threads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from threading import local
from typing import Final

from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.errors import NoRoute, RouterUnavailable
from tracker.map.extract import MapExtract
from tracker.map.preparation import Preparation
from tracker.routing.backends import THREADS, Backend, open_backend, threads_for
from tracker.routing.circuit_breaker import CircuitBreaker
from tracker.routing.engine import Engine

TIME_OUT: Final = 5.0  # seconds, including the wait for a thread


class Router:
    """Routes on one extract. Several tasks may call it at the same time.

    Each thread has its own engine, because an engine that two threads share crashes the process.
    """

    def __init__(self, new_backend: Callable[[], Backend], threads: int = THREADS) -> None:
        self._new_backend = new_backend
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="router")
        self._local = local()
        self._breaker = CircuitBreaker()
        self.preparation: Preparation[None] | None = None  # None: `open` prepared it

    @classmethod
    @asynccontextmanager
    async def open(
        cls, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None = None
    ) -> AsyncIterator["Router"]:
        """Open a router when the engine is ready, and build the routing tiles first if the extract has none.

        *where* is None for threads of this process, `child` for a child process, or the URL of a server.
        Raises RouterUnavailable, but not if a server at a URL does not answer yet.
        """
        with cls._without_engine(where) as router:
            async with router._prepared(map_file, on_progress, where):
                yield router

    @classmethod
    @asynccontextmanager
    async def open_later(
        cls, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None = None
    ) -> AsyncIterator["Router"]:
        """Open a router at once and prepare it in the background. It is down until then. Never raises."""
        with cls._without_engine(where) as router:
            async with Preparation.of(
                "router", router._prepared(map_file, on_progress, where)
            ) as preparation:
                router.preparation = preparation
                yield router

    @classmethod
    @contextmanager
    def _without_engine(cls, where: str | None) -> Iterator["Router"]:
        router = cls(_not_prepared, threads_for(where))
        try:
            yield router
        finally:
            router._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _prepared(
        self, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None
    ) -> AsyncIterator[None]:
        """Prepare the backend, and make the first engine to verify it. Raises RouterUnavailable."""
        async with open_backend(map_file, on_progress, where) as self._new_backend:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._engine)
            except RuntimeError as error:
                raise RouterUnavailable(f"The engine cannot read the routing tiles: {error}") from error
            yield

    @property
    def up(self) -> bool:
        """Whether it is prepared and its circuit breaker is closed."""
        return self._breaker.up and self._why_not_prepared() is None

    def _why_not_prepared(self) -> str | None:
        if self.preparation is None or self.preparation.ready:
            return None
        return f"The router is not ready. {self.preparation.why}"

    async def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool = False,
        heading: float | None = None,
        preference: RoutePreference = LAWFUL,
        streets: ObservedStreets = NO_STREETS,
        bridge_m_s: float | None = None,
    ) -> tuple[Leg, ...]:
        """Return one leg between each two consecutive places; with *edges* each leg lists its streets.

        *heading* (degrees) is that of a moving driver: the route begins in this direction if it can.
        *preference* is how drivers choose their route, and *streets* are the ones they were observed to take
        (only with *edges*). Both are for forecasts; never give such a route to anyone as directions.
        With *bridge_m_s*, a leg without a route is a straight line at this speed (m/s) with `straight` set,
        unless all legs are.

        Raises NoRoute if a place is more than 300 m from any street or cannot be reached, RouterUnavailable
        after 5 s without an answer.
        """
        if len(places) < 2:
            raise NoRoute("A route needs at least two places.")
        return await self._run(
            lambda: self._engine().route(
                places,
                vehicle,
                edges=edges,
                heading=heading,
                preference=preference,
                streets=streets,
                bridge_m_s=bridge_m_s,
            )
        )

    async def match_streets(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
        """Return the streets of a driven path, or none if it matches none. Raises RouterUnavailable."""
        return await self._run(lambda: self._engine().match_streets(places, vehicle))

    async def matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """Return the seconds from each place (row) to each (column).

        They are infinite without a route, and for a place more than 300 m from any street.
        Raises RouterUnavailable.
        """
        return await self._run(lambda: self._engine().matrix(places, vehicle))

    def _engine(self) -> Engine:
        """Return the engine of the current thread; the first call makes it."""
        if not hasattr(self._local, "engine"):
            self._local.engine = Engine(self._new_backend())
        engine: Engine = self._local.engine
        return engine

    async def _run[T](self, call: Callable[[], T]) -> T:
        if why := self._why_not_prepared():
            raise RouterUnavailable(why)
        self._breaker.enter()
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            answer = await asyncio.wait_for(running, TIME_OUT)
        except TimeoutError as error:
            self._breaker.failed()
            raise RouterUnavailable(f"The router did not answer within {TIME_OUT:.0f} s.") from error
        except RouterUnavailable:
            self._breaker.failed()
            raise
        except NoRoute:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer


def _not_prepared() -> Backend:
    raise RouterUnavailable("The router is not prepared.")
