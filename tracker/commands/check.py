"""Check: is everything there that a node needs? Says what is wrong, and how to mend it."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import batched
from typing import Final

from tracker.config import Config
from tracker.database import Database
from tracker.database.migrations import pending
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.tracks.track import TOP_SPEED
from tracker.errors import ConfigError, MapUnavailable, NoRoute, TrackerError
from tracker.map.addresses import open_gazetteer
from tracker.map.basemap import missing_features, open_basemap
from tracker.map.download import as_size
from tracker.map.extract import MapExtract, find_map, in_use, prepare_map
from tracker.map.survey import read_survey
from tracker.node import database_url
from tracker.routing import Router

Say = Callable[[str], None]
SCARCE: Final = 100_000_000  # bytes; with less the database cannot work for long
# What becomes of a part that is wrong: the service starts all the same.
_EFFECTS: Final = {
    "map tiles": "The service starts, and shows a sketch of the way (degraded: basemap). Give another "
    "extract, or free disk and memory if those are short.",
    "addresses": "The service starts without them (degraded: addresses). Give another extract.",
    "router": "The service starts, and forecasts by straight lines (degraded: router). Give another extract, "
    "or correct TRACKER_ROUTER.",
}
TRIES: Final = 10  # pairs of addresses; in a small extract some have no way between them


async def check_all(config: Config, tell: Say, say: Say, *, refresh: bool = False) -> bool:
    """Whether all is there; `tell` gets a line for each finding, `say` the progress of long steps.

    With `refresh` it asks for a newer map. What is made from the map and not there yet is made.
    """
    steps = (("data folder", _data(config)), ("database", _database(config)))
    findings = [await _told(name, step, tell) for name, step in steps]
    if not await _told("map", _map(config, say, refresh), tell):
        return False
    map_file = find_map(config)
    of_the_map = (
        ("map tiles", _basemap(map_file, say)),
        ("addresses", _addresses(map_file, say)),
        ("router", _router(map_file, config.router, say)),
    )
    with in_use(map_file):
        return all(findings + [await _told(name, step, tell) for name, step in of_the_map])


async def _told(name: str, step: AsyncIterator[str], tell: Say) -> bool:
    try:
        async for line in step:
            tell(f"ok    {name}: {line}")
    except ConfigError as error:
        tell(f"wrong {name}: {error}")
        return False
    except (TrackerError, OSError) as error:
        tell(f"wrong {name}: {str(error).rstrip('.')}. {_EFFECTS.get(name, '')}".rstrip())
        return False
    return True


async def _data(config: Config) -> AsyncIterator[str]:
    config.make_data_dir()
    free = shutil.disk_usage(config.data_dir).free
    if free < SCARCE:
        why = f"{config.data_dir} has only {as_size(free)} of disk left; give a folder on a larger disk"
        raise ConfigError("TRACKER_DATA_DIR", why)
    yield f"{config.data_dir} can be written, {as_size(free)} of disk are free"


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
    path = (await prepare_map(config, say, refresh=refresh)).path
    yield f"{path} is an OpenStreetMap extract of {as_size(path.stat().st_size)}"


async def _basemap(map_file: MapExtract, say: Say) -> AsyncIterator[str]:
    async with open_basemap(map_file, say) as basemap:
        west, south, east, north = (f"{edge:.4f}" for edge in basemap.bounds)
        zooms = f"zoom {basemap.min_zoom} to {basemap.max_zoom}"
        yield f"there, for {zooms}, from {west},{south} to {east},{north}"
    yield missing_features(map_file) or "no feature of the map was left out"
    if faults := read_survey(map_file.folder).faults:
        yield f"made from a repaired copy of the extract, which has faults: {', '.join(faults)}"


async def _addresses(map_file: MapExtract, say: Say) -> AsyncIterator[str]:
    yield f"{len((await open_gazetteer(map_file, say)).addresses)} are known"


async def _router(map_file: MapExtract, engine: str | None, say: Say) -> AsyncIterator[str]:
    """What it can do is tried with each vehicle; raises ConfigError where a car finds no way at all."""
    async with Router.open(map_file, say, engine) as router:
        yield _where(engine)
        places = await _some_places(map_file)
        if len(places) < 2:
            yield "it was not tried: no addresses are known to go between"
            return
        for vehicle in TOP_SPEED:
            found = await _found(router, places, vehicle)
            if not found and vehicle == "car":
                why = f"no way was found between {len(places) // 2} pairs of addresses of {map_file.path}"
                raise ConfigError("TRACKER_MAP", f"{why}; give an extract with the streets between them")
            yield f"{vehicle}: a way between {len(found)} of {len(places) // 2} pairs of addresses"
        legs = await router.route(found[0], "foot", edges=True) if found else ()
        streets = sum(len(leg.edges) for leg in legs)
        yield f"streets are told, {streets} on one way; forecasts can learn from each"
        table = await router.matrix(places[:4], "foot")
        yield f"a table of {len(table)} x {len(table)} times; stops can be put into the best sequence"


async def _some_places(map_file: MapExtract) -> list[LonLat]:
    """Of addresses from all over the map; none where they cannot be read."""
    try:
        addresses = (await open_gazetteer(map_file)).addresses
    except MapUnavailable:
        return []
    return [LonLat(house.lon, house.lat) for house in addresses[: 2 * TRIES]]


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
