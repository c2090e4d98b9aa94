"""`tracker check`: verify each part that a node needs, and say how to fix what is wrong."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from ipaddress import ip_address
from itertools import batched
from secrets import token_hex
from typing import Final

from tracker.broker_urls import parse_mqtt_url, parse_nats_url
from tracker.commands.check_nodes import check_clock, check_nodes
from tracker.config import Config
from tracker.database import Database
from tracker.database.connection.configured import database_url, has_database
from tracker.database.migrations import pending
from tracker.database.replica.identity import check_identity
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.tracks.track import TOP_SPEED
from tracker.errors import ConfigError, MapUnavailable, NoRoute, TrackerError
from tracker.live.bus.nats_bus import NatsBus
from tracker.map.addresses import load_address_index
from tracker.map.basemap import missing_features, open_basemap
from tracker.map.download import as_size
from tracker.map.extract import MapExtract, find_map, in_use, prepare_map
from tracker.map.geocoder import open_geocoder
from tracker.map.survey import read_survey
from tracker.metrics import Metrics
from tracker.mqtt.broker import BrokerConnection, describe
from tracker.mqtt.ingest import TOPIC
from tracker.postgres.programs import programs_for
from tracker.routing import Router
from tracker.system.progress import Say

MIN_FREE_DISK: Final = 100_000_000  # bytes; with less the database cannot work for long
# The service starts without these parts. What it does then, and the fix.
_EFFECTS: Final = {
    "map tiles": "The service starts, but shows only a sketch of the route (degraded: basemap). Give another "
    "extract, or free disk space and memory if they are short.",
    "addresses": "The service starts without them (degraded: addresses). Give another extract.",
    "address search": "The service starts, but orders need coordinates (degraded: geocoder). Give another "
    "extract, or free disk space and memory if they are short.",
    "replica": "The service starts, and reads the past from the primary (degraded: replica).",
    "router": "The service starts, but forecasts by straight lines (degraded: router). Give another extract, "
    "or correct TRACKER_ROUTER.",
}
BROKER_TIMEOUT_S: Final = 15.0
BUS_TIMEOUT_S: Final = 5.0
TRIES: Final = 10  # pairs of addresses; in a small extract some have no route between them


async def check_all(config: Config, report: Say, say: Say, *, refresh: bool = False) -> bool:
    """Check every part; return whether all are usable.

    *report* gets a line for each finding, *say* the progress of long steps. With *refresh* it downloads a
    newer map if there is one. It builds what is missing: routing tiles, map tiles and addresses.
    """
    basics = (
        ("address", check_address(config)),
        ("data folder", _data(config)),
        ("database", _database(config)),
    )
    findings = [await _report(name, step, report) for name, step in basics]
    url = config.database_url if findings[-1] else None
    network = (
        *((("clock", check_clock(url)), ("nodes", check_nodes(config, url))) if url is not None else ()),
        *((("replica", check_replica(config)),) if config.database_replica_url is not None else ()),
        *((("MQTT", check_broker(config.mqtt_url)),) if config.mqtt_url is not None else ()),
        *((("bus", check_bus(config.nats_url)),) if config.nats_url is not None else ()),
    )
    findings += [await _report(name, step, report) for name, step in network]
    if not await _report("map", _map(config, say, refresh), report):
        return False
    map_file = find_map(config)
    map_steps = (
        ("map tiles", _basemap(map_file, say)),
        ("addresses", _addresses(map_file, say)),
        ("address search", _geocoder(map_file, say)),
        ("router", _router(map_file, config.router, say)),
    )
    with in_use(map_file):
        return all(findings + [await _report(name, step, report) for name, step in map_steps])


async def _report(name: str, step: AsyncIterator[str], report: Say) -> bool:
    """Report the findings of one part; return whether it is usable."""
    try:
        async for line in step:
            report(f"ok    {name}: {line}")
    except ConfigError as error:
        report(f"wrong {name}: {error}")
        return False
    except (TrackerError, OSError) as error:
        report(f"wrong {name}: {str(error).rstrip('.')}. {_EFFECTS.get(name, '')}".rstrip())
        return False
    return True


async def check_address(config: Config) -> AsyncIterator[str]:
    """Check that public URL, TLS and trusted proxies fit together. Raises ConfigError."""
    https, (host_name, _) = (config.public_url or "").startswith("https:"), config.address
    host = ip_address("127.0.0.1" if host_name == "localhost" else host_name)
    if any(each.prefixlen == 0 for each in config.proxies):
        why = "trusts every address, so clients can forge theirs; give only your reverse proxy's address"
        raise ConfigError("TRACKER_TRUSTED_PROXIES", why)
    if https and config.tls_cert is None and not config.proxies:
        why = (
            "is unset, but TRACKER_PUBLIC_URL begins with https:// and the service has no certificate. So a "
            "reverse proxy is in front, and all its clients count as one address; set the proxy's address, "
            "such as 127.0.0.1"
        )
        raise ConfigError("TRACKER_TRUSTED_PROXIES", why)
    if config.proxies and host.is_loopback and not any(host in each for each in config.proxies):
        why = f"does not hold {host}, but TRACKER_BIND admits only proxies on this machine; add {host}"
        raise ConfigError("TRACKER_TRUSTED_PROXIES", why)
    yield f"links begin with {config.public_url or 'the address of the request'}"
    if config.proxies:
        yield f"X-Forwarded headers are believed from {', '.join(map(str, config.proxies))}"


async def _data(config: Config) -> AsyncIterator[str]:
    config.make_data_dir()
    free = shutil.disk_usage(config.data_dir).free
    if free < MIN_FREE_DISK:
        why = f"{config.data_dir} has only {as_size(free)} of disk free; give a folder on a larger disk"
        raise ConfigError("TRACKER_DATA_DIR", why)
    yield f"{config.data_dir} can be written, {as_size(free)} of disk are free"


async def _database(config: Config) -> AsyncIterator[str]:
    if config.database_url is None and not has_database(config):
        programs = programs_for(config.data_dir / "postgres")
        yield f"{config.data_dir.absolute()} has none yet; the first start creates it with {programs}"
        return
    async with database_url(config, lambda _: None) as url:
        missing = await pending(url)
        if missing and config.database_url is not None:
            raise ConfigError("DATABASE_URL", f"{len(missing)} migrations are missing: run `tracker migrate`")
        if not missing:
            async with Database.open(url) as database:
                yield f"PostgreSQL {await database.fetchval('server_version')} answers and is up to date"
        else:
            yield "an embedded PostgreSQL starts; the service will create its tables"


async def check_replica(config: Config) -> AsyncIterator[str]:
    """Check that the URL leads to a streaming replica of the database. Raises ConfigError."""
    assert config.database_url is not None
    assert config.database_replica_url is not None
    async with Database.open(config.database_url) as database:
        if not await check_identity(config.database_replica_url, database):
            why = "leads to a primary; give a streaming replica of the database in DATABASE_URL"
            raise ConfigError("DATABASE_REPLICA_URL", why)
        yield "a streaming replica of the database answers"


async def check_broker(url: str) -> AsyncIterator[str]:
    """Connect, log in and subscribe as the service does, in a session of its own. Raises ConfigError."""
    address = parse_mqtt_url(url)
    async with BrokerConnection.open(address, f"tracker-check-{token_hex(4)}", TOPIC, clean=True) as broker:
        with suppress(TimeoutError):
            await asyncio.wait_for(broker.attempted.wait(), BROKER_TIMEOUT_S)
        if not broker.connected:
            raise ConfigError("TRACKER_MQTT_URL", f"{address}: {broker.fault or describe(TimeoutError())}")
        yield f"the broker at {address} accepts the account and the subscription to {TOPIC}"


async def check_bus(url: str) -> AsyncIterator[str]:
    """Connect and log in as the service does, and send a message. Raises ConfigError."""
    address, arrived = parse_nats_url(url), asyncio.Event()
    subject = f"tracker.check.{token_hex(8)}"
    async with AsyncExitStack() as stack:
        buses = [
            await stack.enter_async_context(NatsBus.open(address, "tracker-check", Metrics().bus))
            for _ in range(2)
        ]
        buses[1].receive(subject, lambda _: arrived.set())
        with suppress(TimeoutError):
            async with asyncio.timeout(BUS_TIMEOUT_S):
                for bus in buses:
                    await bus.attempted.wait()
                while not arrived.is_set() and all(bus.connected for bus in buses):
                    buses[0].publish(subject, b"")
                    await asyncio.sleep(0.1)
        if not arrived.is_set():
            why = buses[0].fault or "it delivers no messages; allow tracker.> to the account"
            raise ConfigError("NATS_URL", f"{address}: {why}")
        yield f"the NATS server at {address} accepts the account and delivers messages"


async def _map(config: Config, say: Say, refresh: bool) -> AsyncIterator[str]:
    path = (await prepare_map(config, say, refresh=refresh)).path
    yield f"{path} is an OpenStreetMap extract of {as_size(path.stat().st_size)}"


async def _basemap(map_file: MapExtract, say: Say) -> AsyncIterator[str]:
    async with open_basemap(map_file, say) as basemap:
        west, south, east, north = (f"{edge:.4f}" for edge in basemap.bounds)
        zooms = f"zoom {basemap.min_zoom} to {basemap.max_zoom}"
        yield f"made for {zooms}, from {west},{south} to {east},{north}"
    yield missing_features(map_file) or "no feature of the map was left out"
    if faults := read_survey(map_file.folder).faults:
        yield f"made from a repaired copy of the extract, which has faults: {', '.join(faults)}"


async def _addresses(map_file: MapExtract, say: Say) -> AsyncIterator[str]:
    yield f"{len((await load_address_index(map_file, say)).addresses)} found"


async def _geocoder(map_file: MapExtract, say: Say) -> AsyncIterator[str]:
    async with open_geocoder(map_file, say) as geocoder:
        found = geocoder.counts()
        yield (
            f"finds {found['house']} house numbers, {found['street']} streets, {found['place']} places and "
            f"{found['poi']} points of interest"
        )
        if not found["house"]:
            yield "the extract has no house numbers, so addresses are found as streets only"


async def _router(map_file: MapExtract, engine: str | None, say: Say) -> AsyncIterator[str]:
    """Try routes with each vehicle. Raises ConfigError if there is no route at all for a car."""
    async with Router.open(map_file, say, engine) as router:
        yield _location(engine)
        places = await _sample_places(map_file)
        if len(places) < 2:
            yield "not tried, because the map has fewer than two addresses to route between"
            return
        for vehicle in TOP_SPEED:
            found = await _connected_pairs(router, places, vehicle)
            if not found and vehicle == "car":
                why = f"none of {len(places) // 2} pairs of addresses of {map_file.path} has a route"
                raise ConfigError(
                    "TRACKER_MAP", f"{why}; give an extract with the streets between its addresses"
                )
            yield f"{vehicle}: a route between {len(found)} of {len(places) // 2} pairs of addresses"
        legs = await router.route(found[0], "foot", edges=True) if found else ()
        streets = sum(len(leg.edges) for leg in legs)
        yield f"routes name their streets ({streets} on one route), so forecasts can learn speeds by street"
        table = await router.matrix(places[:4], "foot")
        yield f"a matrix of {len(table)} x {len(table)} travel times: stops can be put into the best sequence"


async def _sample_places(map_file: MapExtract) -> list[LonLat]:
    """Return up to 20 addresses from all over the map; none if they cannot be read."""
    try:
        addresses = (await load_address_index(map_file)).addresses
    except MapUnavailable:
        return []
    return [LonLat(house.lon, house.lat) for house in addresses[: 2 * TRIES]]


def _location(engine: str | None) -> str:
    if engine is None:
        return "Valhalla runs in threads of this process"
    return "Valhalla runs as a child process" if engine == "child" else f"Valhalla is at {engine}"


async def _connected_pairs(
    router: Router, places: Sequence[LonLat], vehicle: Vehicle
) -> list[tuple[LonLat, LonLat]]:
    """Pair the places in their order; return the pairs with a route between them."""
    found = []
    for pair in batched(places, 2):
        try:
            await router.route(pair, vehicle)
        except NoRoute:
            continue
        found.append((pair[0], pair[1]))
    return found
