"""Backends: the engine in threads of this process, in a child process, or at a URL, with the same calls."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib.util import find_spec
from typing import Final, Protocol

from tracker.errors import ConfigError
from tracker.map.extract import MapExtract
from tracker.routing.antimeridian import rotated_text
from tracker.routing.http_client import HttpBackend

CHILD: Final = "child"
THREADS: Final = 2  # each computes with its own engine
THREADS_WAITING: Final = 8  # each waits for an engine in another process


class Backend(Protocol):
    """The calls of an engine; requests and answers are JSON text. Not thread-safe."""

    def route(self, request: str) -> str: ...
    def trace_attributes(self, request: str) -> str: ...
    def matrix(self, request: str) -> str: ...
    def status(self) -> str: ...


class RotatedBackend:
    """A backend with rotated tiles that takes and returns true coordinates. Not thread-safe."""

    def __init__(self, engine: Backend) -> None:
        self._engine = engine

    def route(self, request: str) -> str:
        return rotated_text(self._engine.route(rotated_text(request)))

    def trace_attributes(self, request: str) -> str:
        return rotated_text(self._engine.trace_attributes(rotated_text(request)))

    def matrix(self, request: str) -> str:
        return self._engine.matrix(rotated_text(request))  # the answer has no coordinates

    def status(self) -> str:
        return self._engine.status()


def require_engine(where: str | None) -> None:
    """Raise ConfigError if the engine that *where* needs is not installed. A URL needs none here."""
    if where in {None, CHILD} and find_spec("valhalla") is None:
        needs = "is unset" if where is None else f"is {CHILD}"
        fix = "set it to the URL of a Valhalla server, or run: pip install 'order-tracker[router]'"
        raise ConfigError("TRACKER_ROUTER", f"{needs}, and the router is not installed; {fix}")


@asynccontextmanager
async def open_backend(
    map_file: MapExtract, on_progress: Callable[[str], None], where: str | None
) -> AsyncIterator[Callable[[], Backend]]:
    """Yield a function that returns the backend of one thread. Engines in other processes share a client.

    *where* is None for threads of this process, `child` for a child process, or a URL. It builds the tiles
    if this extract has none, except for a URL, whose server has its own. Raises
    ConfigError, RouterUnavailable.
    """
    if where is not None and where != CHILD:
        with closing(HttpBackend(where)) as remote:
            yield lambda: remote
        return
    require_engine(where)

    from tracker.routing.child_process import run_valhalla
    from tracker.routing.tiles import prepare_tiles, tiles_are_rotated

    configuration = await prepare_tiles(map_file, on_progress)
    rotated = tiles_are_rotated(map_file)

    def new_backend(engine: Backend) -> Backend:
        return RotatedBackend(engine) if rotated else engine

    if where is None:
        from valhalla import Actor

        yield lambda: new_backend(Actor(str(configuration)))
    else:
        async with run_valhalla(configuration) as url:
            with closing(HttpBackend(url)) as child:
                yield lambda: new_backend(child)


def threads_for(where: str | None) -> int:
    """Return how many threads use the engine at *where*."""
    return THREADS if where is None else THREADS_WAITING
