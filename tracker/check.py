"""Check: is everything there that a node needs? Says what is wrong, and how to mend it."""

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import batched
from typing import Final

from tracker.app import database_url
from tracker.config import Config
from tracker.database import Database
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.track import TOP_SPEED
from tracker.errors import ConfigError, NoRoute, TrackerError
from tracker.gazetteer import open_gazetteer
from tracker.mapfile import find_map, in_use, prepare_map
from tracker.migrations import pending
from tracker.routing import Router

Say = Callable[[str], None]
TRIES: Final = 10  # pairs of addresses; in a small extract some have no way between them


async def check_all(config: Config, say: Say, *, refresh: bool = False) -> bool:
    """Whether a node could start now; each part is told in a line. With `refresh` asks for a newer map."""
    steps = (
        ("data folder", _data(config)),
        ("database", _database(config)),
        ("map", _map(config, say, refresh)),
        ("router", _router(config, say)),
    )
    return all([await _told(name, step, say) for name, step in steps])


async def _told(name: str, step: AsyncIterator[str], say: Say) -> bool:
    try:
        async for line in step:
            say(f"ok    {name}: {line}")
    except (TrackerError, OSError) as error:
        say(f"wrong {name}: {error}")
        return False
    return True


async def _data(config: Config) -> AsyncIterator[str]:
    config.make_data_dir()
    yield f"{config.data_dir} can be written"


async def _database(config: Config) -> AsyncIterator[str]:
    async with database_url(config, _quiet) as url:
        todo = await pending(url)
        if todo and config.database_url is not None:
            raise ConfigError("DATABASE_URL", f"{len(todo)} migrations are missing: run `tracker migrate`")
        if not todo:
            async with Database.open(url) as database:
                yield f"PostgreSQL {await database.fetchval('server_version')} answers and is up to date"
        else:
            yield "an embedded PostgreSQL starts, and is filled when the service starts"


async def _map(config: Config, say: Say, refresh: bool) -> AsyncIterator[str]:
    map_file = await prepare_map(config, say, refresh=refresh)
    gazetteer = await open_gazetteer(map_file)
    yield f"{map_file.path.name} has {len(gazetteer.addresses)} addresses"


async def _router(config: Config, say: Say) -> AsyncIterator[str]:
    """What it can do is tried with each vehicle; raises ConfigError where a car finds no way at all."""
    map_file = find_map(config)
    addresses = (await open_gazetteer(map_file)).addresses[: 2 * TRIES]
    places = [LonLat(house.lon, house.lat) for house in addresses]
    with in_use(map_file):
        async with Router.open(map_file, say, config.router) as router:
            yield _where(config.router)
            for vehicle in TOP_SPEED:
                found = await _found(router, places, vehicle)
                if not found and vehicle == "car":
                    why = f"no way was found between {TRIES} pairs of addresses of {map_file.path}"
                    raise ConfigError("TRACKER_MAP", why)
                yield f"{vehicle}: a way between {len(found)} of {len(places) // 2} pairs of addresses"
            legs = await router.route(found[0], "foot", edges=True) if found else ()
            streets = sum(len(leg.edges) for leg in legs)
            yield f"streets are told, {streets} on one way; forecasts can learn from each"
            table = await router.matrix(places[:4], "foot")
            yield f"a table of {len(table)} x {len(table)} times; stops can be put into the best sequence"


def _where(engine: str | None) -> str:
    if engine is None:
        return "Valhalla runs in our own threads"
    return "Valhalla runs as a child" if engine == "child" else f"Valhalla is asked at {engine}"


async def _found(router: Router, places: Sequence[LonLat], vehicle: Vehicle) -> list[tuple[LonLat, LonLat]]:
    """Pairs of neighbours in the list with a way between them."""
    found = []
    for pair in batched(places, 2):
        try:
            await router.route(pair, vehicle)
        except NoRoute:
            continue
        found.append((pair[0], pair[1]))
    return found


def _quiet(_: str) -> None:
    pass
