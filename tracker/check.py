"""Check: is everything there that a node needs? Says what is wrong, and how to mend it."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from tracker.app import database_url
from tracker.config import Config
from tracker.database import Database
from tracker.domain.geo import LonLat
from tracker.errors import ConfigError, NoRoute, TrackerError
from tracker.gazetteer import open_gazetteer
from tracker.mapfile import find_map
from tracker.migrations import pending
from tracker.routing import Router

Say = Callable[[str], None]
TRIES: Final = 10  # pairs of addresses; in a small extract some have no way between them


async def check_all(config: Config, say: Say) -> bool:
    """Whether a node could start now; each part is told in a line."""
    results = [
        await _told(name, step(config), say)
        for name, step in (("data folder", _data), ("database", _database), ("map and router", _router))
    ]
    return all(results)


async def _told(name: str, step: AsyncIterator[str], say: Say) -> bool:
    try:
        async for line in step:
            say(f"ok    {name}: {line}")
    except (TrackerError, OSError) as error:
        say(f"wrong {name}: {error}")
        return False
    return True


async def _data(config: Config) -> AsyncIterator[str]:
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        probe = config.data_dir / ".check"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError("TRACKER_DATA_DIR", f"{config.data_dir} cannot be written: {error}") from error
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


async def _router(config: Config) -> AsyncIterator[str]:
    map_file = find_map(config)
    gazetteer = await open_gazetteer(map_file)
    yield f"{map_file.path.name} has {len(gazetteer.addresses)} addresses"
    async with Router.open(map_file, _quiet) as router:
        places = [LonLat(house.lon, house.lat) for house in gazetteer.addresses[: 2 * TRIES]]
        for start, end in zip(places[::2], places[1::2], strict=False):
            try:
                (leg,) = await router.route([start, end], "car")
            except NoRoute:
                continue
            yield f"a route of {leg.distance_m:.0f} m was found"
            return
    raise ConfigError(
        "TRACKER_MAP", f"no way was found between {TRIES} pairs of addresses of {map_file.path}"
    )


def _quiet(_: str) -> None:
    pass
