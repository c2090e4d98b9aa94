"""Check: after the faults everybody comes to rest, and every promise is held against what was witnessed."""

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg

from tests.faults.happenings import CATALOGUE, newest_true_fix
from tests.faults.ledger import StoredRow, verdict
from tests.faults.node import Node
from tests.faults.world import IN_THE_PIPE, Watched, World
from tests.waiting import becomes_true

SHOWN_WITHIN: Final = 10.0  # seconds
SOCKETS_GONE_WITHIN: Final = 45.0  # seconds
FILES_MORE: Final = 16  # the two pools' connections, and a few that a library keeps
THREADS_MORE: Final = 16
STORED = """
SELECT d.id, f.recorded_at, f.lat, f.lon, f.accuracy, f.speed, f.heading, f.altitude, f.battery
FROM fixes f LEFT JOIN drivers d ON d.number = f.driver
"""


async def run(world: World, names: Sequence[str], pause: float = 0.5) -> None:
    """These happenings, one after the other."""
    for name in names:
        await CATALOGUE[name](world)
        await asyncio.sleep(pause * world.random.random())  # simulates irregular faults


async def all_wrong(
    world: World, flush_within: float = 60.0, leave_within: float = SOCKETS_GONE_WITHIN
) -> list[str]:
    """What was broken, one line each; the service is ended for it. Empty: every promise was kept."""
    await settle(world, flush_within)
    await everybody_leaves(world, leave_within)
    return await ended(world)


async def settle(world: World, flush_within: float = 60.0) -> None:
    """Everything is acknowledged, customers see the newest, and all orders end."""
    await world.calm()
    if not await world.flush(flush_within):
        world.violations.append(f"{world.unacknowledged} fixes were never acknowledged")
    await _customers_see_the_newest(world)
    await _orders_end(world)


async def ended(world: World) -> list[str]:
    """What was broken, once the nodes have ended, too."""
    _nothing_was_acknowledged_while_away(world)
    for node in world.nodes:
        if (code := await _terminated(node)) != 0:
            world.violations.append(f"the service ended with {code} after SIGTERM")
    stored = await _rows(world)
    ledgers = {device.driver_id: device.ledger for device in world.devices}
    words = [word for node in world.nodes for word in node.unexpected_words()]
    return [*world.violations, *verdict(ledgers, stored), *words]


async def _customers_see_the_newest(world: World) -> None:
    async def sees(watched: Watched) -> None:
        if not watched.device.ledger.acked:
            return
        newest = newest_true_fix(watched.device)
        if not await watched.customer.until_shows(newest, SHOWN_WITHIN):
            world.violations.append(
                f"a customer is shown {watched.customer.shows}, and the newest is {newest}"
            )

    await asyncio.gather(*map(sees, world.watched))


async def _orders_end(world: World) -> None:
    """Half of them by the driver, half by the merchant; every customer is told, and nothing is skipped."""
    async with world.node.merchant() as http:
        for number, watched in enumerate(world.watched):
            for status in ("picked_up", "delivered"):
                if number % 2:
                    answer = await http.post(f"/v1/orders/{watched.order_id}/status", json={"status": status})
                    if not answer.is_success:
                        world.violations.append(f"an order could not be {status}: {answer.text}")
                else:
                    said = await watched.device.ask(type="status", order_id=watched.order_id, status=status)
                    if said is None or said["type"] != "ack":
                        world.violations.append(f"a driver could not say {status}: {said}")
    await becomes_true(lambda: all(watched.customer.end for watched in world.watched), SHOWN_WITHIN)
    for watched in world.watched:
        customer = watched.customer
        if (customer.end, customer.status) != ("delivered", "delivered"):
            world.violations.append(f"a customer was left with {customer.status} and the end {customer.end}")
        if customer.statuses != ["assigned", "picked_up", "delivered"]:
            world.violations.append(f"a customer saw the statuses {customer.statuses}")
        world.violations += sorted(set(customer.faults))


async def everybody_leaves(world: World, within: float = SOCKETS_GONE_WITHIN) -> None:
    """Sockets, files, threads and memory go back to where they were."""
    for anybody in (*world.devices, *(watched.customer for watched in world.watched)):
        await world.stop(anybody)
    for node in world.nodes:
        await _nothing_is_left(world, node, within)


async def _nothing_is_left(world: World, node: Node, within: float) -> None:
    idle = node.idle
    assert idle is not None
    await becomes_true(lambda: node.held().sockets == 0, within)
    held = node.held()
    if held.sockets:
        world.violations.append(f"{held.sockets} sockets are left of clients who have gone")
    if held.files > idle.files + FILES_MORE or held.threads > idle.threads + THREADS_MORE:
        world.violations.append(f"left behind: {held}, at the beginning {idle}")
    if held.rss_mb > idle.rss_mb + world.memory_more:
        world.violations.append(f"memory grew from {idle.rss_mb:.0f} to {held.rss_mb:.0f} MB")
    metrics = await node.metrics()
    for name in ("tracker_drivers_online", "tracker_subscribers"):
        if metrics[name]:
            world.violations.append(f"{name} is {metrics[name]:.0f} and nobody is there")


async def _terminated(node: Node) -> int | str:
    try:
        return await node.terminate()
    except TimeoutError:
        return "nothing within 20 s"


def _nothing_was_acknowledged_while_away(world: World) -> None:
    early = [
        stored
        for device in world.devices
        for at, stored in device.acks
        if stored and any(began + IN_THE_PIPE < at < ended for began, ended in world.away)
    ]
    if early:
        world.violations.append(f"{sum(early)} fixes were acknowledged while nothing could be stored")


async def _rows(world: World) -> list[StoredRow]:
    connection = await asyncpg.connect(world.database_url)
    try:
        return [StoredRow(*row) for row in await connection.fetch(STORED)]
    finally:
        await connection.close()
