"""Which node owns a driver's trip, and what happens to fixes that reach another one."""

import asyncio
from datetime import timedelta

import pytest

from tests.live.nodes.site import Device, fix, new_driver, new_order, nodes, now
from tests.waiting import until
from tracker.database import Database
from tracker.errors import OwnerUnavailable, StorageUnavailable
from tracker.live import healing
from tracker.live.nodes import leases


async def stored(database: Database) -> int:
    count: int = await database.pool.fetchval("SELECT count(*) FROM fixes")
    return count


async def test_fixes_are_stored_by_the_owner_wherever_they_arrive(database: Database) -> None:
    """The first node that gets a fix owns the trip; the other forwards, and answers after the commit."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(3))
        receipt = await b.store(driver, fix(2, lat=91.0), fix(1), fix(3.5))
        assert (receipt.stored, [one.reason for one in receipt.rejected]) == (2, ["latitude_out_of_range"])
        assert (a.owns(driver), b.owns(driver)) == (True, False)
        assert await stored(database) == 3
        assert a.fixes_of(driver) == 3


async def test_a_dead_owners_trip_continues_elsewhere(database: Database) -> None:
    """The other node refuses while the lease lasts, and owns the trip afterwards, as PostgreSQL has it."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(3))
        a.bus.disconnect()
        with pytest.raises(OwnerUnavailable):
            await b.store(driver, fix(2))
        await a.dies()
        receipt = await b.store(driver, fix(2), fix(3))
        assert (receipt.stored, receipt.duplicates) == (2, 0)
        assert b.owns(driver)


async def test_a_node_that_stops_gives_its_trips_up_first(database: Database) -> None:
    """Before its process ends another node owns them, without asking it."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(3))
        await a.fleet.drain()
        a.bus.disconnect()
        receipt = await b.store(driver, fix(2))
        assert receipt.stored == 1
        assert (a.owns(driver), b.owns(driver)) == (False, True)


async def test_an_owner_that_stood_still_changes_nothing_any_more(database: Database) -> None:
    """It finds out before it judges, forwards what it gets, and drops its trip."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        a.freeze()
        await a.expire()
        await b.store(driver, fix(4))
        assert not a.leases.is_sure
        await a.wake()
        receipt = await a.store(driver, fix(3))
        assert receipt.stored == 1
        assert (a.owns(driver), b.owns(driver)) == (False, True)
        assert a.fleet._trips.get(driver.id) is None
        assert await stored(database) == 3


async def test_a_commit_of_a_former_owner_stores_nothing(database: Database) -> None:
    """What it had judged before it lost the lease is judged again by the owner, and stored once."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        batch = await a.fleet.receive(driver, [fix(5)])
        await a.expire()
        await b.store(driver, fix(4))
        await a.wake()
        assert (await a.fleet.record(driver, batch)).stored == 1
        assert b.fixes_of(driver) == 3


async def test_an_owner_that_stood_still_alone_keeps_its_trips(database: Database) -> None:
    """Nobody took them, so nothing is read again."""
    driver = await new_driver(database)
    async with nodes(database) as (a, _):
        await a.store(driver, fix(9))
        live = a.fleet._trips.get(driver.id)
        a.freeze()
        await a.expire()
        await a.wake()
        await a.store(driver, fix(8))
        assert a.fleet._trips.get(driver.id) is live


async def test_the_trip_follows_the_drivers_connection(database: Database) -> None:
    """The owner gives it up once its driver's source is connected elsewhere, not for a screen."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        b.fleet.connections.connect(driver.id, Device("screen"))
        await b.store(driver, fix(8), role="screen")
        assert a.owns(driver)
        b.fleet.connections.connect(driver.id, Device())
        await b.store(driver, fix(7))
        assert (a.owns(driver), b.owns(driver)) == (False, True)
        await a.store(driver, fix(6))
        assert b.owns(driver)
        assert await stored(database) == 4


async def test_without_a_bus_a_driver_moves_when_the_lease_is_given_up(database: Database) -> None:
    """Two nodes on one database refuse each other's drivers, rather than judge one trip twice."""
    driver = await new_driver(database)
    async with nodes(database, bus=False) as (a, b):
        await a.store(driver, fix(9))
        with pytest.raises(OwnerUnavailable):
            await b.store(driver, fix(8))
        live = a.fleet._trips.get(driver.id)
        assert live is not None
        live.heard_at = None  # as after six seconds without a fix

        async def accepted() -> bool:
            try:
                return (await b.store(driver, fix(8))).stored == 1
            except OwnerUnavailable:
                return False

        await until(accepted)
        assert b.owns(driver)


async def test_a_node_that_stops_releases_its_trips_at_once(database: Database) -> None:
    """Its drivers are welcome on the other node without a wait."""
    driver = await new_driver(database)
    async with nodes(database, 1) as (b,):
        async with nodes(database, 1) as (a,):
            await a.store(driver, fix(9))
        assert (await b.store(driver, fix(8))).stored == 1
        assert b.owns(driver)


async def test_a_frozen_owner_is_given_up_once_its_lease_has_run_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other node does not wait for its answer any longer."""
    driver, asked = await new_driver(database), asyncio.Event()

    async def ask(*_: object) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        monkeypatch.setattr(b.bus, "request", ask)
        b.fleet.connections.connect(driver.id, Device())
        storing = asyncio.create_task(b.store(driver, fix(8)))
        await asked.wait()
        a.freeze()
        await a.expire()
        await b.leases._renew()
        async with asyncio.timeout(30):
            assert (await storing).stored == 1
        assert b.owns(driver)


async def test_an_owner_without_its_bus_gives_up_a_driver_who_has_left(database: Database) -> None:
    """They may be connected to a node that cannot ask for it. Those who only send keep it longer."""
    driver, sender = await new_driver(database), await new_driver(database, "Eero")
    async with nodes(database) as (a, _):
        a.fleet.connections.connect(driver.id, device := Device())
        await a.store(driver, fix(9))
        await a.store(sender, fix(9))
        a.fleet.connections.disconnect(driver.id, device)
        for one in (driver, sender):
            live = a.fleet._trips.get(one.id)
            assert live is not None
            live.heard_at = now() - timedelta(seconds=6)
        await until(lambda: not a.owns(driver))
        assert a.owns(sender)


async def test_a_node_that_is_cut_off_shows_nothing_any_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From PostgreSQL and the bus. With one of them it learns of changes, and goes on. It keeps no caller."""
    monkeypatch.setattr(leases, "SURE_WITHIN_S", 0.05)
    driver = await new_driver(database)
    async with nodes(database) as (a, _):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        a.lose_database()
        assert a.owns(driver)
        await a.fleet.views.snapshot(order.id)
        a.bus.disconnect()
        assert not a.owns(driver)
        with pytest.raises(StorageUnavailable):
            await a.fleet.views.snapshot(order.id)
        with pytest.raises(StorageUnavailable):
            await a.store(driver, fix(5))


async def test_a_node_that_was_cut_off_reads_what_it_missed_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Customers see nothing of a former driver."""
    monkeypatch.setattr(healing, "POLL_EVERY_S", 3_600.0)
    former, driver = await new_driver(database), await new_driver(database, "Eero")
    async with nodes(database) as (a, b):
        order = await new_order(a, former)
        await a.store(former, fix(9))
        subscription, _ = await a.fleet.views.subscribe(order.id, "lnk")
        a.lose_database()
        a.bus.disconnect()
        await b.orders.assign(order.id, driver.id)
        await a.wake()
        channel = a.fleet._hub.channel(order.id)
        assert channel is not None
        await until(lambda: channel.state["position"] is None)
        a.fleet.views.unsubscribe(order.id, subscription)
