"""Router: the engine behind `await`, a few threads wide."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from threading import local
from typing import Final

from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.domain.route_choice.observed_streets import NONE, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.errors import NoRoute, RouterUnavailable
from tracker.map.extract import MapExtract
from tracker.map.preparation import Preparation
from tracker.routing.backends import THREADS, Backend, actors, threads_for
from tracker.routing.circuit_breaker import CircuitBreaker
from tracker.routing.engine import Engine

TIME_OUT: Final = 5.0  # seconds, waiting for a thread included


class Router:
    """Routes on one extract; calls of several tasks at once are fine.

    Every thread has an engine of its own, because one that two threads share crashes the process.
    """

    def __init__(self, new_actor: Callable[[], Backend], threads: int = THREADS) -> None:
        self._new_actor = new_actor
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="router")
        self._own = local()
        self._breaker = CircuitBreaker()
        self.preparation: Preparation[None] | None = None  # None: it was opened ready

    @classmethod
    @asynccontextmanager
    async def open(
        cls, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None = None
    ) -> AsyncIterator["Router"]:
        """`where` the engine is: None for our threads, `child`, or its address.

        Builds the tiles if this extract has none yet, and tells so. Raises RouterUnavailable, but not for an
        address where nobody answers yet.
        """
        with cls._without_engine(where) as router:
            async with router._prepared(map_file, on_progress, where):
                yield router

    @classmethod
    @asynccontextmanager
    async def open_later(
        cls, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None = None
    ) -> AsyncIterator["Router"]:
        """The same without waiting, and it never raises: the router is down until it is prepared."""
        with cls._without_engine(where) as router:
            async with Preparation.of(
                "router", router._prepared(map_file, on_progress, where)
            ) as preparation:
                router.preparation = preparation
                yield router

    @classmethod
    @contextmanager
    def _without_engine(cls, where: str | None) -> Iterator["Router"]:
        router = cls(_no_actor, threads_for(where))
        try:
            yield router
        finally:
            router._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _prepared(
        self, map_file: MapExtract, on_progress: Callable[[str], None], where: str | None
    ) -> AsyncIterator[None]:
        """Lets the threads make engines; the first one shows whether that works."""
        async with actors(map_file, on_progress, where) as self._new_actor:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._engine)
            except RuntimeError as error:
                raise RouterUnavailable(f"The engine cannot read the routing tiles: {error}") from error
            yield

    @property
    def up(self) -> bool:
        """False until it is prepared, and after several failures in a row, until it answers again."""
        return self._breaker.up and self._why_absent() is None

    def _why_absent(self) -> str | None:
        if self.preparation is None or self.preparation.ready:
            return None
        return f"The router cannot be asked. {self.preparation.why}"

    async def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool = False,
        heading: float | None = None,
        manner: RoutePreference = LAWFUL,
        streets: ObservedStreets = NONE,
        bridge_m_s: float | None = None,
    ) -> tuple[Leg, ...]:
        """One leg between each two of the places, in their order; with `edges` also street by street.

        A `heading` (degrees) says where somebody who moves is going: the route begins that way if it can.
        The `manner` says how such drivers choose their way, and `streets` which ones they were seen to take
        (only with `edges`); both are for forecasts, and give no way to tell anybody. With `bridge_m_s` a leg
        that no way leads along is a straight line at this speed (m/s) and marked so, unless all of them are.

        Raises NoRoute where a place is more than 300 m from any street or cannot be reached, and
        RouterUnavailable where there is no answer within 5 s.
        """
        if len(places) < 2:
            raise NoRoute("A route needs at least two places.")
        return await self._run(
            lambda: self._engine().route(
                places,
                vehicle,
                edges=edges,
                heading=heading,
                manner=manner,
                streets=streets,
                bridge_m_s=bridge_m_s,
            )
        )

    async def matched(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
        """The streets of a way that was driven, by its places; none where it cannot be told.

        Raises RouterUnavailable.
        """
        return await self._run(lambda: self._engine().matched(places, vehicle))

    async def matrix(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
        """Return the seconds from each place (row) to each (column).

        They are infinite where no way leads, and where a place is more than 300 m from any street.
        Raises RouterUnavailable.
        """
        return await self._run(lambda: self._engine().matrix(places, vehicle))

    def _engine(self) -> Engine:
        """The engine of the thread that asks."""
        if not hasattr(self._own, "engine"):
            self._own.engine = Engine(self._new_actor())
        engine: Engine = self._own.engine
        return engine

    async def _run[T](self, call: Callable[[], T]) -> T:
        if why := self._why_absent():
            raise RouterUnavailable(why)
        self._breaker.enter()
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            answer = await asyncio.wait_for(running, TIME_OUT)
        except TimeoutError as error:
            self._breaker.failed()
            raise RouterUnavailable(f"The router gave no answer within {TIME_OUT:.0f} s.") from error
        except RouterUnavailable:
            self._breaker.failed()
            raise
        except NoRoute:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer


def _no_actor() -> Backend:
    raise RouterUnavailable("The router is not prepared.")
