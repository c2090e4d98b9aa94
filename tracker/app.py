"""App: builds one node out of its parts, opens them in order and closes them in reverse."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog
from quart import Quart

from tracker.api import health
from tracker.api.allowance import with_allowance
from tracker.api.docs import asyncapi, openapi, swagger_ui
from tracker.api.driver import stream as driver_stream
from tracker.api.errors import register_errors
from tracker.api.headers import with_security_headers
from tracker.api.json_bodies import register_bodies
from tracker.api.merchant import drivers, forecasts, history, links, map, orders
from tracker.api.tracking import events, notes, page, poll
from tracker.api.tracking import stream as tracking_stream
from tracker.config import Config
from tracker.database import Database
from tracker.database.api_keys import delete_old_answers
from tracker.database.customers import ERASED_AT_ONCE, erase_expired_customers
from tracker.database.forecasts import delete_old_forecasts
from tracker.database.migrations import migrate, pending
from tracker.database.partitions import keep_partitions
from tracker.domain.area import Area
from tracker.errors import ConfigError, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.fleet import Fleet
from tracker.live.hub import Hub
from tracker.live.milestones import MilestoneWriter
from tracker.map.addresses import AddressIndex, opened_gazetteer
from tracker.map.basemap import Basemap, open_basemap
from tracker.map.extract import MapExtract, in_use, prepare_map
from tracker.map.preparation import Preparation, settled
from tracker.map.survey import remove_unfinished
from tracker.messages import FIXES_PER_S
from tracker.metrics import Metrics
from tracker.node import Node
from tracker.orders.changes import OrderChange
from tracker.orders.lifecycle import OrderLifecycle
from tracker.orders.sequencer import Sequencer
from tracker.orders.stuck_orders import stuck_orders_reported
from tracker.postgres.server import embedded
from tracker.rate_limits import Allowances, Buckets
from tracker.recorder import Recorder
from tracker.routing import Router
from tracker.tokens import LinkTokens
from tracker.websocket.accept import register_sockets

FIXES_AT_ONCE: Final = 20_000  # of one driver: the backlog of five and a half hours at 1 Hz
NOTES_AT_ONCE: Final = 5  # of one tracking link's customers, and of a driver to one customer
NOTE_EVERY: Final = 10.0  # seconds; for each further note
NOTE_BODIES_AT_ONCE: Final = 30  # of one tracking link, wrong ones included; counted before they are read
NOTE_BODIES_PER_S: Final = 1.0
REQUESTS_AT_ONCE: Final = 6_000  # of one API key; counted before their bodies are read
REQUESTS_PER_S: Final = 100.0
GUESSES_AT_ONCE: Final = 60  # unknown keys, tokens and links of one address
GUESSES_PER_S: Final = 1.0
FAULTS_AT_ONCE: Final = 3  # connections of one driver, or one link and address, that were ended for cause
FAULTS_PER_S: Final = 0.2
KEEP_HOUSE_EVERY: Final = 3_600.0  # seconds
MAP_WITHIN: Final = 60.0  # seconds that a start waits for what is made from the map

ROOMS: Final = (
    asyncapi,
    health,
    swagger_ui,
    driver_stream,
    drivers,
    forecasts,
    history,
    links,
    map,
    openapi,
    orders,
    page,
    events,
    notes,
    poll,
    tracking_stream,
)

log = structlog.get_logger()
Say = Callable[[str], None]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(parts: Node, *, taking_over: bool = True) -> Quart:
    """The Quart app over these parts; nothing is global. `taking_over`: sockets become ours."""
    app = Quart("tracker", static_folder=None)
    app.config["RESPONSE_TIMEOUT"] = None  # streams have no end
    app.extensions["tracker"] = parts
    register_errors(app)
    register_sockets(app, taking_over=taking_over)
    app.after_request(with_security_headers)
    app.after_request(with_allowance)
    register_bodies(app)
    for room in ROOMS:
        app.register_blueprint(room.blueprint)
    return app


@asynccontextmanager
async def open_parts(
    config: Config, *, say: Say, migrating: bool = False, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[Node]:
    """Everything one node needs. `say` is told of long steps. Raises ConfigError, StorageUnavailable."""
    config.make_data_dir()
    map_file, metrics, link_tokens = await prepare_map(config, say), Metrics(), LinkTokens(secret_of(config))
    async with (
        database_url(config, say) as url,
        _prepared(url, say, migrating=migrating or config.database_url is None),
        Database.open(url) as database,
        Recorder(database) as recorder,
        _drawn_from(map_file, config.router, metrics, say) as (router, drawn),
        EtaFeedback.open(database, router, metrics, now) as hindsight,
    ):
        all_orders = _orders(database, router, now, lambda: fleet)
        fleet = Fleet(
            database=database,
            recorder=recorder,
            router=router,
            hub=(hub := Hub(link_tokens.cursor_key)),
            hindsight=hindsight,
            witness=MilestoneWriter(database, all_orders.note_milestone, metrics, drawn["area"]),
            metrics=metrics,
            retention=timedelta(days=config.retention_days),
            now=now,
        )
        async with fleet.running(), _house_kept(database, config, metrics, now):
            yield Node(
                config=config,
                database=database,
                account=hindsight.account,
                recorder=recorder,
                router=router,
                orders=all_orders,
                fleet=fleet,
                hub=hub,
                link_tokens=link_tokens,
                metrics=metrics,
                now=now,
                **drawn,
                **_rates(),
            )


def _rates() -> dict[str, Any]:
    """How much of what one driver, link or address may do."""
    return {
        "note_rates": Buckets(NOTES_AT_ONCE, 1.0 / NOTE_EVERY),
        "note_bodies": Buckets(NOTE_BODIES_AT_ONCE, NOTE_BODIES_PER_S),
        "request_rates": Allowances(REQUESTS_AT_ONCE, REQUESTS_PER_S),
        "fix_rates": Allowances(FIXES_AT_ONCE, FIXES_PER_S),
        "wrong_guesses": Buckets(GUESSES_AT_ONCE, GUESSES_PER_S),
        "sent_away": Allowances(FAULTS_AT_ONCE, FAULTS_PER_S),
    }


def _orders(
    database: Database, router: Router, now: Callable[[], datetime], fleet: Callable[[], Fleet]
) -> OrderLifecycle:
    """What changes is told to the fleet, whether or not its requester waits for that."""

    async def tell(change: OrderChange) -> None:
        await fleet().to_the_end(fleet().order_changed(change))

    return OrderLifecycle(database, tell, now, Sequencer(router))


@asynccontextmanager
async def database_url(config: Config, say: Say) -> AsyncIterator[str]:
    """The database that was configured, or the embedded one while the block runs."""
    if config.database_url is not None:
        yield config.database_url
    else:
        config.make_data_dir()
        async with embedded(config.data_dir, say) as url:
            yield url


@asynccontextmanager
async def _prepared(url: str, say: Say, *, migrating: bool) -> AsyncIterator[None]:
    if migrating and (applied := await migrate(url)):
        say(f"Database brought up to date ({len(applied)} steps)")
    elif not migrating and (todo := await pending(url)):
        why = f"{len(todo)} migrations are missing: run `tracker migrate`, or start with --migrate"
        raise ConfigError("DATABASE_URL", why)
    yield


@asynccontextmanager
async def _drawn_from(
    map_file: MapExtract, engine: str | None, metrics: Metrics, say: Say
) -> AsyncIterator[tuple[Router, dict[str, Any]]]:
    """All that is made from the map at the first start, side by side.

    What takes longer than MAP_WITHIN is ready later; what fails is missing until the next start.
    """
    with in_use(map_file), _without_remains(map_file):
        async with (
            Router.open_later(map_file, say, engine) as router,
            Preparation.of("basemap", open_basemap(map_file, say)) as basemap,
            Preparation.of("addresses", opened_gazetteer(map_file, say)) as addresses,
        ):
            parts = [part for part in (router.preparation, basemap, addresses) if part is not None]
            if not await settled(parts, MAP_WITHIN):
                say("The map takes longer: serving with a sketch of it or straight lines until it is ready.")
            for part in parts:
                if part.failure is not None:
                    why = part.failure.rstrip(".")
                    say(f"Serving without {part.name}: {why}. `tracker check` says what to do.")
            metrics.router_up.set_function(lambda: float(router.up))
            yield (
                router,
                {
                    "map_file": map_file,
                    "basemap": basemap,
                    "addresses": addresses,
                    "area": lambda: _area(addresses, basemap),
                },
            )


@contextmanager
def _without_remains(map_file: MapExtract) -> Iterator[None]:
    """What a start that is broken off has half made goes with it."""
    try:
        yield
    finally:
        remove_unfinished(map_file.folder)


def _area(addresses: Preparation[AddressIndex], basemap: Preparation[Basemap]) -> Area | None:
    """What the map covers, as its reader found it, else as it is drawn; None while neither is known."""
    if addresses.value is not None:
        return Area(*addresses.value.bbox)
    return None if basemap.value is None else Area(*basemap.value.bounds)


@asynccontextmanager
async def _house_kept(
    database: Database, config: Config, metrics: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    await _keep_house(database, config, metrics, now())

    async def forever() -> None:
        while True:
            await _erase_customers(database, config, now)
            await asyncio.sleep(KEEP_HOUSE_EVERY)
            await _keep_house(database, config, metrics, now())

    keeper = asyncio.create_task(forever())
    try:
        async with stuck_orders_reported(database, metrics, now):
            yield
    finally:
        keeper.cancel()


async def _keep_house(database: Database, config: Config, metrics: Metrics, now: datetime) -> None:
    """Partitions a week ahead, old ones dropped, old answers forgotten; what fails has to wait."""
    try:
        partitions = await keep_partitions(database, config.retention_days, now)
        metrics.stray_fixes.set(partitions.in_default)
        if partitions.in_default:  # an alarm each hour until it is empty
            log.error("fixes_without_partition", count=partitions.in_default)
        await delete_old_answers(database, now)
        await delete_old_forecasts(database, now - timedelta(days=config.retention_days))
    except StorageUnavailable as error:
        log.warning("house_not_kept", why=str(error))


async def _erase_customers(database: Database, config: Config, now: Callable[[], datetime]) -> None:
    """Erase what has expired of customers' data, in batches with as long a pause after each."""
    kept, erased, last = timedelta(days=config.customer_retention_days), 0, ERASED_AT_ONCE
    try:
        while last == ERASED_AT_ONCE:
            begun = monotonic()
            last = await erase_expired_customers(database, now() - kept, now())
            erased += last
            await asyncio.sleep(monotonic() - begun)
    except StorageUnavailable as error:
        log.warning("customer_erasure_failed", why=str(error))
    if erased:
        log.info("customers_erased", orders=erased)


def secret_of(config: Config) -> str:
    """TRACKER_SECRET, or the one in the data folder, made at the first start."""
    if config.secret is not None:
        return config.secret
    path = config.data_dir / "secret"
    if not path.is_file():
        config.data_dir.mkdir(parents=True, exist_ok=True)
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    """Readable by nobody else from its first moment on, and whole or not there."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text + "\n")
    draft.replace(path)
