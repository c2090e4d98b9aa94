"""Where the engine is: in our threads, in a child of ours, or at an address; the calls are the same."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from valhalla import Actor

from tracker.map.extract import MapExtract
from tracker.routing.antimeridian import Turned
from tracker.routing.child_process import serving
from tracker.routing.http_client import RemoteActor
from tracker.routing.tiles import are_turned, prepare_tiles

CHILD: Final = "child"
THREADS: Final = 2  # an engine in each, which computes
THREADS_WAITING: Final = 8  # each waits for an engine elsewhere


class Backend(Protocol):
    """What is asked of an engine, as text. For one thread."""

    def route(self, wanted: str) -> str: ...
    def trace_attributes(self, wanted: str) -> str: ...
    def matrix(self, wanted: str) -> str: ...
    def status(self) -> str: ...


@asynccontextmanager
async def actors(
    map_file: MapExtract, on_progress: Callable[[str], None], where: str | None
) -> AsyncIterator[Callable[[], Backend]]:
    """Makes an actor for a thread. `where`: None for our threads, `child`, or an address.

    Builds the tiles if this extract has none yet, unless the engine at the address has its own. Raises
    RouterUnavailable.
    """
    if where is not None and where != CHILD:
        yield lambda: RemoteActor(where)
        return
    configuration = await prepare_tiles(map_file, on_progress)
    across = are_turned(map_file)
    if where is None:
        yield lambda: _asked(Actor(str(configuration)), across=across)
    else:
        async with serving(configuration) as url:
            yield lambda: _asked(RemoteActor(url), across=across)


def _asked(engine: Backend, *, across: bool) -> Backend:
    return Turned(engine) if across else engine


def threads_for(where: str | None) -> int:
    """How many threads ask."""
    return THREADS if where is None else THREADS_WAITING
