"""Node: the resources of one server process; `open_node` opens them in order and closes them in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from shutil import disk_usage
from typing import Any, Final, cast

import msgspec
from quart import current_app

from tracker.audit_log import AuditLog
from tracker.branding.brands import Brands
from tracker.config import Config
from tracker.config.secret import secret_of
from tracker.database import Database
from tracker.database.connection.configured import database_url
from tracker.database.connection.opening import wait_for_database
from tracker.database.migrations import migrate, pending
from tracker.database.replica.history import History
from tracker.domain.area import Area
from tracker.errors import ConfigError
from tracker.eta.feedback import EtaFeedback
from tracker.eta.forecast_log import ForecastLog
from tracker.fix_recorder import FixRecorder
from tracker.live.delivery.admission import Admission
from tracker.live.delivery.hub import Hub
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.fleet import Fleet
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.opening import open_exchange
from tracker.maintenance import maintenance_running
from tracker.map.addresses import AddressIndex
from tracker.map.basemap import Basemap
from tracker.map.extract import MapExtract, prepare_map
from tracker.map.geocoder import Geocoder
from tracker.map.preparation import Preparation
from tracker.map_resources import open_map
from tracker.messages import FIXES_PER_S
from tracker.metrics import Metrics
from tracker.mqtt.ingest import MqttIngest
from tracker.orders.changes import OrderChange
from tracker.orders.lifecycle import OrderLifecycle
from tracker.orders.sequencer import Sequencer
from tracker.phone_apps.sampling import RemoteSampling
from tracker.rate_limits import PairingLimit, RateLimit
from tracker.routing import Router
from tracker.system.certificate_expiry import expiry_or_zero
from tracker.system.progress import Say
from tracker.tokens import LinkTokens, WebhookSecrets
from tracker.webhooks.bodies import EventBodies
from tracker.webhooks.feed import EventFeed
from tracker.webhooks.opening import open_events

FIXES_AT_ONCE: Final = 20_000  # of one driver: the backlog of five and a half hours at 1 Hz
NOTES_AT_ONCE: Final = 5  # from one tracking link's customers, and from a driver to one customer
NOTE_INTERVAL_S: Final = 10.0  # for each further note
NOTE_BODIES_AT_ONCE: Final = 30  # of one tracking link, invalid ones included; counted before they are read
NOTE_BODIES_PER_S: Final = 1.0
REQUESTS_AT_ONCE: Final = 6_000  # of one API key; counted before their bodies are read
REQUESTS_PER_S: Final = 100.0
LOGINS_AT_ONCE: Final = 30  # of browsers at one address, with right or wrong keys
LOGINS_PER_S: Final = 0.2
GUESSES_AT_ONCE: Final = 60  # unknown keys, tokens and links from one address
GUESSES_PER_S: Final = 1.0
PROOFS_AT_ONCE: Final = 30  # of one driver
PROOFS_PER_S: Final = 0.5
VIOLATIONS_AT_ONCE: Final = 3  # connections of one driver, or of one link and address, ended for a violation
VIOLATIONS_PER_S: Final = 0.2


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node's resources, passed to the blueprints; nothing is global."""

    config: Config
    database: Database
    history: History
    forecast_log: ForecastLog
    recorder: FixRecorder
    router: Router
    map_file: MapExtract
    basemap: Preparation[Basemap]
    addresses: Preparation[AddressIndex]
    geocoder: Preparation[Geocoder]
    area: Callable[[], Area | None]  # what the map covers; None until that is known
    orders: OrderLifecycle
    events: EventFeed
    event_bodies: EventBodies
    webhook_secrets: WebhookSecrets
    fleet: Fleet
    hub: Hub
    brands: Brands
    link_tokens: LinkTokens
    note_rates: RateLimit
    note_bodies: RateLimit
    act_rates: RateLimit
    request_rates: RateLimit
    fix_rates: RateLimit
    proof_rates: RateLimit
    audit: AuditLog
    wrong_guesses: RateLimit
    login_rates: RateLimit
    metrics: Metrics
    now: Callable[[], datetime]
    violations: RateLimit
    mqtt: MqttIngest | None = None  # None: no broker is configured
    admission: Admission = msgspec.field(default_factory=Admission)
    pairing_limit: PairingLimit = msgspec.field(default_factory=PairingLimit)
    sampling: RemoteSampling = msgspec.field(default_factory=RemoteSampling)
    warned: set[str] = msgspec.field(default_factory=set)  # warnings that are logged once

    async def drain(self) -> None:
        """End all streams, and acknowledge and send what is in flight."""
        self.events.close()
        await self.fleet.drain()


def current_node() -> Node:
    """Return the node of the app that serves the current request."""
    return cast("Node", current_app.extensions["tracker"])


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_node(
    config: Config, *, say: Say, migrating: bool = False, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[Node]:
    """Open the resources of one node for the duration of the block; report long steps to *say*.

    With *migrating*, apply missing migrations first. Raises ConfigError, StorageUnavailable.
    """
    config.make_data_dir()
    map_file, metrics, link_tokens = await prepare_map(config, say), Metrics(), LinkTokens(secret_of(config))
    rates, hub = _rate_limits(), Hub(link_tokens.cursor_key)
    async with (
        _open_database(config, say, migrating=migrating) as database,
        open_exchange(config, database, metrics) as (leases, exchange),
        _open_fixes(config, database, leases.node, metrics) as (history, recorder),
        open_map(map_file, config.router, metrics, say) as (router, maps),
        EtaFeedback.open(database, router, metrics, now) as feedback,
        _open_fleet(
            config, database, recorder, router, hub, feedback, maps["area"], metrics, now, leases, exchange
        ) as (orders, fleet),
        _upkeep(database, recorder, hub, config, metrics, now),
        AuditLog.open(database) as audit,
        open_events(database, config, fleet.etas.of, metrics, now) as events,
        MqttIngest.open(config, fleet, database, rates["fix_rates"], metrics) as mqtt,
    ):
        yield Node(
            config=config,
            database=database,
            history=history,
            forecast_log=feedback.forecast_log,
            recorder=recorder,
            router=router,
            orders=orders,
            fleet=fleet,
            hub=hub,
            brands=Brands(database, exchange, now),
            link_tokens=link_tokens,
            metrics=metrics,
            now=now,
            mqtt=mqtt,
            audit=audit,
            **events,
            **maps,
            **rates,
        )


@asynccontextmanager
async def _open_fixes(
    config: Config, database: Database, node: str, metrics: Metrics
) -> AsyncIterator[tuple[History, FixRecorder]]:
    """Open what reads stored fixes and what stores them."""
    async with (
        History.open(config.database_replica_url, database, node, metrics.replica) as history,
        FixRecorder(database, node) as recorder,
    ):
        yield history, recorder


@asynccontextmanager
async def _open_fleet(  # noqa: PLR0917 - all of them are different types
    config: Config,
    database: Database,
    recorder: FixRecorder,
    router: Router,
    hub: Hub,
    feedback: EtaFeedback,
    area: Callable[[], Area | None],
    metrics: Metrics,
    now: Callable[[], datetime],
    leases: Leases,
    exchange: Exchange,
) -> AsyncIterator[tuple[OrderLifecycle, Fleet]]:
    """Run the fleet during the block. Committed changes reach it even if the HTTP client has disconnected."""

    async def notify(change: OrderChange) -> None:
        await fleet.shield(fleet.order_changed(change))

    orders = OrderLifecycle(database, notify, now, Sequencer(router))
    milestones = MilestoneWriter(database, orders.note_milestone, metrics)
    fleet = Fleet(
        database=database,
        recorder=recorder,
        router=router,
        hub=hub,
        feedback=feedback,
        milestones=milestones,
        leases=leases,
        exchange=exchange,
        area=area,
        metrics=metrics,
        retention=timedelta(days=config.retention_days),
        now=now,
    )
    async with milestones.running(), fleet.running():
        yield orders, fleet


@asynccontextmanager
async def _upkeep(  # noqa: PLR0917 - all of them are different types
    database: Database,
    recorder: FixRecorder,
    hub: Hub,
    config: Config,
    metrics: Metrics,
    now: Callable[[], datetime],
) -> AsyncIterator[None]:
    """Run the hourly maintenance and report the node's state in its metrics during the block."""
    metrics.set_version(version("order-tracker"))
    metrics.queue_fixes.set_function(lambda: float(recorder.waiting))
    metrics.queue_age.set_function(lambda: recorder.lag)
    metrics.subscribers.set_function(lambda: len(hub))
    metrics.disk_free.set_function(lambda: float(disk_usage(config.data_dir).free))
    metrics.disk_size.set_function(lambda: float(disk_usage(config.data_dir).total))
    if config.tls_cert is not None:
        metrics.certificate_expiry.set_function(partial(expiry_or_zero, config.tls_cert))
    async with metrics.process.measuring_lag(), maintenance_running(database, config, metrics, now):
        yield


def _rate_limits() -> dict[str, Any]:
    """Return the limits for each driver, link, API key and address."""
    return {
        "note_rates": RateLimit(NOTES_AT_ONCE, 1.0 / NOTE_INTERVAL_S),
        "act_rates": RateLimit(NOTES_AT_ONCE, 1.0 / NOTE_INTERVAL_S),
        "note_bodies": RateLimit(NOTE_BODIES_AT_ONCE, NOTE_BODIES_PER_S),
        "request_rates": RateLimit(REQUESTS_AT_ONCE, REQUESTS_PER_S),
        "fix_rates": RateLimit(FIXES_AT_ONCE, FIXES_PER_S),
        "proof_rates": RateLimit(PROOFS_AT_ONCE, PROOFS_PER_S),
        "wrong_guesses": RateLimit(GUESSES_AT_ONCE, GUESSES_PER_S),
        "login_rates": RateLimit(LOGINS_AT_ONCE, LOGINS_PER_S),
        "violations": RateLimit(VIOLATIONS_AT_ONCE, VIOLATIONS_PER_S),
    }


@asynccontextmanager
async def _open_database(config: Config, say: Say, *, migrating: bool) -> AsyncIterator[Database]:
    """Open the database, migrated to this version; the embedded one always is. Raises ConfigError."""
    async with database_url(config, say) as url:
        await wait_for_database(url, say)
        if migrating or config.database_url is None:
            if applied := await migrate(url):
                say(f"Database brought up to date ({len(applied)} steps)")
        elif todo := await pending(url):
            why = f"{len(todo)} migrations are missing: run `tracker migrate`, or start with --migrate"
            raise ConfigError("DATABASE_URL", why)
        async with Database.open(url) as database:
            yield database
