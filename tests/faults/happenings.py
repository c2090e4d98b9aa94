"""Happenings: the faults of a schedule, by name. Each harms, takes it back, and waits for the recovery."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import asyncpg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.faults.device import Device
from tests.faults.proxy import FINE, Weather
from tests.faults.world import World
from tests.waiting import becomes_true, until

Happening = Callable[[World], Awaitable[None]]
FROZEN: Final = 8.0  # seconds; longer than a call to the database may take
AWAY: Final = 5.0
SLOW_WITHIN: Final = 7.0  # seconds until drivers are told that storing does not work
A_DAY: Final = timedelta(days=1)

CATALOGUE: dict[str, Happening] = {}


def happening(work: Happening) -> Happening:
    CATALOGUE[work.__name__] = work
    return work


# --- the service


@happening
async def service_killed(world: World) -> None:
    """-9 while everybody streams."""
    world.kills += 1
    await world.node.kill()
    await world.restart()


@happening
async def service_frozen(world: World) -> None:
    """SIGSTOP, and on."""
    world.node.freeze()
    await asyncio.sleep(world.random.uniform(2, 6) * world.haste)  # simulates the freeze
    world.node.thaw()
    await becomes_true(lambda: all(one.connected or one.stopped for one in world.devices), 30)


@happening
async def service_terminated(world: World) -> None:
    """SIGTERM while some customers have stopped reading: 0 within 20 s."""
    world.customers_network.change(Weather(stalled=True))
    try:
        code = await world.node.terminate()
        if code != 0:
            world.violations.append(f"the service ended with {code} after SIGTERM")
    except TimeoutError:
        world.violations.append("the service had not ended 20 s after SIGTERM")
        await world.node.kill()
    await world.calm()
    await world.restart()


@happening
async def killed_while_nothing_can_be_stored(world: World) -> None:
    """The database freezes, the service is killed, both come back: an ack given meanwhile was a lie."""
    world.kills += 1
    began = monotonic()
    world.cluster.freeze()
    try:
        await asyncio.sleep(2.5)  # simulates the freeze
        await world.node.kill()
        world.away.append((began, monotonic()))
    finally:
        world.cluster.thaw()
    await world.restart()


# --- the database


@happening
async def database_killed(world: World) -> None:
    """-9 to the postmaster, away for seconds."""
    world.kills += 1
    world.cluster.kill()
    began = monotonic()
    await asyncio.sleep(world.random.uniform(1, AWAY) * world.haste)  # simulates the outage
    world.away.append((began, monotonic()))
    await world.cluster.start()
    await world.stores_again(monotonic())


@happening
async def backend_killed(world: World) -> None:
    """-9 to the process behind one of our connections: the server throws all of them out."""
    connection = await asyncpg.connect(world.database_url, timeout=5)
    try:
        if await world.cluster.kill_a_backend():
            world.kills += 1
            await until(connection.is_closed)  # the postmaster has noticed it
    finally:
        connection.terminate()
    await world.cluster.start()
    await world.stores_again(monotonic())


@happening
async def database_frozen(world: World) -> None:
    """SIGSTOP for longer than a call may take: `slow`, no ack, and recovery by itself."""
    began = monotonic()
    world.cluster.freeze()
    try:
        await asyncio.sleep(FROZEN)  # simulates the freeze
        world.away.append((began, monotonic()))
    finally:
        world.cluster.thaw()
    since = (datetime.now(UTC) - timedelta(seconds=FROZEN - 1.0)).isoformat().replace("+00:00", "Z")
    if not any((watched.customer.shows or "") > since for watched in world.watched):
        world.violations.append("the live view stood still with the database")
    if not any(at > began for device in world.devices for at in device.slows[-20:]):
        world.violations.append(f"nobody was told to be slow within {FROZEN:.0f} s")
    await world.stores_again(monotonic())


@happening
async def partition_missing(world: World) -> None:
    """A day's partition is gone while its fixes arrive."""
    world.events += 1
    day = (
        datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - (9 + world.events % 15) * A_DAY
    )
    device = world.watched[0].device
    device.make_backlog(20, day + timedelta(hours=1), timedelta(seconds=7))
    await becomes_true(lambda: not device.unacknowledged, 5)
    with suppress(asyncpg.PostgresError, OSError):
        connection = await asyncpg.connect(world.database_url, timeout=5)
        try:
            await _take_partition_away(connection, f"fixes_{day:%Y%m%d}")
        finally:
            await connection.close()
    device.make_backlog(20, day + timedelta(hours=2), timedelta(seconds=7))


async def _take_partition_away(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    """Its rows are put where rows without a partition go."""
    if await connection.fetchval("SELECT to_regclass($1)", name) is None:
        return
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '2s'")
        await connection.execute(f"ALTER TABLE fixes DETACH PARTITION {name}")
        await connection.execute(f"INSERT INTO fixes SELECT * FROM {name}")
        await connection.execute(f"DROP TABLE {name}")


@happening
async def retention(world: World) -> None:
    """Old days are dropped while everybody streams."""
    device = await world.new_spare()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    device.make_backlog(50, midnight - 28 * A_DAY, timedelta(hours=1))
    await becomes_true(lambda: not device.unacknowledged, 10)
    device.ledger.forgotten_before = midnight - 25 * A_DAY
    with suppress(asyncpg.PostgresError, OSError):
        connection = await asyncpg.connect(world.database_url, timeout=5)
        try:
            before = (midnight - 25 * A_DAY).date()
            while await connection.fetchval("SELECT drop_oldest_fix_partition($1)", before) is not None:
                pass
        finally:
            await connection.close()


@happening
async def erasure(world: World) -> None:
    """A driver is erased while streaming, and comes again with everything: nothing of them stays."""
    device = await world.new_spare()
    await becomes_true(lambda: len(device.ledger.acked) > 0, 10)
    device.ledger.erased = True
    async with world.node.merchant() as http:
        answer = await http.delete(f"/v1/drivers/{device.driver_id}")
        if not answer.is_success:
            world.violations.append(f"erasing a driver: {answer.status_code}")
        if not await becomes_true(lambda: device.stopped, 10):
            world.violations.append("an erased driver went on streaming")
        await device.send_by_http(http, sorted(device.ledger.made)[-50:])
    await world.stop(device)


# --- the network


async def _weather(world: World, weather: Weather, seconds: float) -> None:
    """On one of the networks, the customers' too."""
    proxy = world.random.choice(world.all_networks)
    proxy.change(weather)
    await asyncio.sleep(seconds * world.haste)  # simulates bad weather
    proxy.change(FINE)


@happening
async def jitter(world: World) -> None:
    await _weather(world, Weather(delay_s=0.1, jitter_s=0.3), world.random.uniform(3, 6))


@happening
async def single_bytes(world: World) -> None:
    await _weather(world, Weather(piece=1), 2.0)


@happening
async def narrow(world: World) -> None:
    """20 kbit/s."""
    await _weather(world, Weather(bytes_per_s=2_500, piece=250), world.random.uniform(3, 6))


@happening
async def stalled(world: World) -> None:
    await _weather(world, Weather(stalled=True), world.random.uniform(2, 6))


@happening
async def cut_after_some_bytes(world: World) -> None:
    """Connections break in the middle of frames, again and again."""
    await _weather(world, Weather(cut_after=world.random.randint(300, 9_000)), world.random.uniform(2, 4))


@happening
async def everybody_cut(world: World) -> None:
    for proxy in world.all_networks:
        proxy.cut()
    await world.everybody_back()


@happening
async def half_open(world: World) -> None:
    """One network forgets its connections and tells nobody; later it resets them."""
    proxy = world.random.choice(world.all_networks)
    proxy.half_open()
    await asyncio.sleep(world.random.uniform(2, 5) * world.haste)  # simulates the half-open time
    proxy.cut()


# --- devices


@happening
async def backlog(world: World) -> None:
    """Everybody comes back at once with 24 hours that were never sent."""
    world.events += 1
    count = 300
    for proxy in world.networks:
        proxy.cut()
    for device in world.devices:
        if not device.stopped:
            device.make_backlog(count, datetime.now(UTC) - A_DAY, A_DAY / (count + 1))
    await world.everybody_back()


@happening
async def clock_steps(world: World) -> None:
    """A device's clock is three hours ahead, then a day behind, then right."""
    device = world.watched[-1].device
    for skew in (timedelta(hours=3), -A_DAY, timedelta(0)):
        device.skew = skew
        await asyncio.sleep(1.2 * world.haste)  # simulates a time of wrong clocks


@happening
async def the_same_many_ways(world: World) -> None:
    """A batch by socket and HTTP at once, several times; then again, with one key's content changed."""
    async with world.node.merchant() as http:
        for watched in world.watched[:4]:
            numbers = [watched.device.make().number for _ in range(20)]
            await asyncio.gather(*(watched.device.send_by_http(http, numbers) for _ in range(3)))
            await watched.device.send_again()


@happening
async def second_phone(world: World) -> None:
    """A second device with the same token: the first is told 4009 once, and stays away until opened again."""
    device = world.random.choice(world.watched).device
    before = device.closes.count(4009)
    if not await becomes_true(lambda: device.connected, 10):
        return
    with suppress(OSError, WebSocketException, TimeoutError):
        async with connect(
            f"ws://127.0.0.1:{world.node.port}/v1/drivers/stream",
            additional_headers={"Authorization": f"Bearer {device._token}"},
            compression=None,
            proxy=None,
        ):
            if not await becomes_true(lambda: device.stopped, 10):
                world.violations.append("the older of two phones was not told")
    if device.closes.count(4009) != before + 1:
        world.violations.append(
            f"4009 was said {device.closes.count(4009) - before} times for one second phone"
        )
    await world.stop(device)
    world.begin(device)
    await world.everybody_back()


# --- strangers


@happening
async def strangers(world: World) -> None:
    """Who tries another's order, a wrong token or a driver's token where a key is needed gets nothing."""
    mine, other = world.random.sample(world.watched, 2)
    said = await mine.device.ask(type="status", order_id=other.order_id, status="picked_up")
    if said is not None and (said["type"], said.get("code")) != ("error", "not_found"):
        world.violations.append("a driver changed another driver's order")
    if await _refusal(world, "drivers/stream", "tdt_nobody") not in {401, 403, 429}:
        world.violations.append("a wrong driver's token was let in")
    if await _refusal(world, "track/nobody/stream") not in {404, 429}:
        world.violations.append("a wrong link was let in")
    async with world.node.merchant() as http:
        http.headers["Authorization"] = f"Bearer {mine.device._token}"
        if (await http.get(f"/v1/orders/{other.order_id}")).status_code not in {401, 403, 429}:
            world.violations.append("a driver's token opened the merchants' interface")


async def _refusal(world: World, path: str, token: str | None = None) -> int:
    """The status of a refused connection; 101 where it was let in, 0 where nobody answered."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        url = f"ws://127.0.0.1:{world.node.port}/v1/{path}"
        async with connect(url, additional_headers=headers, compression=None, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def storm(world: World, per_second: int = 300, seconds: float = 2.0) -> None:
    """Connects and resets."""
    began, done = monotonic(), 0
    while (passed := monotonic() - began) < seconds:
        while done < passed * per_second:
            await connect_and_reset(world.node.port, speak=done % 2 == 0)
            done += 1
        await asyncio.sleep(0.01)  # simulates the storm's rate


CATALOGUE["storm"] = storm


async def connect_and_reset(port: int, *, speak: bool) -> None:
    with socket.socket() as one, suppress(OSError):
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
        if speak:
            one.send(b"GET /v1/drivers/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" + os.urandom(4))


def newest_true_fix(device: Device) -> str:
    """`recorded_at` of the newest acknowledged fix made under a right clock, as customers are told it."""
    ledger = device.ledger
    times = [
        ledger.made[number].recorded_at
        for number in ledger.acked - ledger.impostors
        if not ledger.made[number].skew
    ]
    return max(times).isoformat(timespec="milliseconds").replace("+00:00", "Z")
