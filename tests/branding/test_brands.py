"""The brand on several nodes: a change is everywhere at once, and no lost message harms a page."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.waiting import until
from tracker.branding import brands as module
from tracker.branding.brands import Brands
from tracker.database import Database
from tracker.domain.branding.brand import NO_BRAND, Brand, Logo
from tracker.errors import StorageUnavailable
from tracker.live.bus.memory_bus import MemoryBus, MemoryNetwork
from tracker.live.nodes.exchange import Exchange

BAKERY = Brand(
    name="Bakery",
    logo=Logo("image/png", b"\x89PNG"),
    colour="#b3261e",
    languages=("fi", "sv"),
    customer_may=("rate",),
)


def now() -> datetime:
    return datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


def node(database: Any, network: MemoryNetwork, name: str) -> Brands:
    return Brands(database, Exchange(MemoryBus(network), name), now)


async def has(brands: Brands, brand: Brand) -> bool:
    return await brands.current() == brand


async def test_a_change_is_on_every_node_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus tells it: no node waits until it compares its brand with the database."""
    monkeypatch.setattr(module, "COMPARED_EVERY_S", 1e9)
    network = MemoryNetwork()
    one, other = node(database, network, "a"), node(database, network, "b")
    assert await other.current() == NO_BRAND
    await one.replace(BAKERY)
    assert await one.current() == await one.stored() == BAKERY
    await until(lambda: has(other, BAKERY))
    assert await other.of_version(BAKERY.version) == BAKERY
    await one.replace(NO_BRAND)
    await until(lambda: has(other, NO_BRAND))
    assert await other.of_version(BAKERY.version) is None


async def test_a_lost_message_is_found_in_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few seconds, and at once by whoever asks for the new brand's files."""
    one, other = node(database, MemoryNetwork(), "a"), node(database, MemoryNetwork(), "b")
    assert await other.current() == NO_BRAND
    await one.replace(BAKERY)
    assert await other.current() == NO_BRAND
    assert await other.of_version(BAKERY.version) == BAKERY
    await one.replace(NO_BRAND)
    monkeypatch.setattr(module, "COMPARED_EVERY_S", 0.0)
    assert await other.current() == NO_BRAND


class Gone:
    """A database that does not answer."""

    async def fetchval(self, *_: object) -> Any:
        raise StorageUnavailable

    fetchrow = fetchval


async def test_without_the_database_the_last_brand_stays(database: Database) -> None:
    """Pages go on; only the API says that it cannot tell."""
    brands = node(database, MemoryNetwork(), "a")
    await brands.replace(BAKERY)
    assert await brands.current() == BAKERY
    brands._database = Gone()  # type: ignore[assignment]
    brands._forget()
    assert await brands.current() == BAKERY
    assert await node(Gone(), MemoryNetwork(), "b").current() == NO_BRAND
    with pytest.raises(StorageUnavailable):
        await brands.stored()
