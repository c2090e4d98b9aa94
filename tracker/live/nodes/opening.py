"""Opening what a node shares with others: its leases and its messages."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from tracker.broker_urls import parse_nats_url
from tracker.config import Config
from tracker.config.secret import secret_of
from tracker.database import Database
from tracker.database.nodes.leases import describe_node
from tracker.errors import StorageUnavailable
from tracker.live.bus.memory_bus import MemoryBus
from tracker.live.bus.nats_bus import NatsBus
from tracker.live.bus.protocol import Bus
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.metrics import Metrics
from tracker.tokens import new_id


@asynccontextmanager
async def open_exchange(
    config: Config, database: Database, metrics: Metrics
) -> AsyncIterator[tuple[Leases, Exchange]]:
    """Hold leases and exchange messages with other nodes during the block.

    Without NATS_URL no message leaves this node. Leases are held even then, because the same database may
    have another node.
    """
    node, installation = new_id("node"), installation_of(config)
    about = version("order-tracker"), installation, bus_of(config)
    async with _open_bus(config, node, metrics) as bus:
        leases = Leases(database, node, lambda: bus.connected)
        async with leases.running():
            with suppress(StorageUnavailable):
                await describe_node(database, node, *about)
            yield leases, Exchange(bus, node, installation)


@asynccontextmanager
async def _open_bus(config: Config, node: str, metrics: Metrics) -> AsyncIterator[Bus]:
    if config.nats_url is None:
        yield MemoryBus()
    else:
        async with NatsBus.open(parse_nats_url(config.nats_url), node, metrics.bus) as bus:
            yield bus


def bus_of(config: Config) -> str:
    """Return the addresses of the NATS servers, without the account; empty without NATS_URL."""
    return "" if config.nats_url is None else str(parse_nats_url(config.nats_url))


def installation_of(config: Config) -> str:
    """Return a name that only nodes with the same secret share, so that several services may use one bus."""
    return hmac.digest(secret_of(config).encode(), b"bus, version 1", hashlib.sha256).hex()[:16]
