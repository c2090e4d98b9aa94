"""What happens to each node and each server of the bus: killed, frozen, cut off, and back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Final

from tests.faults.happenings import CATALOGUE
from tests.faults.nodes.network import PLANES, Plane
from tests.faults.nodes.several import COUNT, NAMES, Several

FROZEN: Final = 20.0  # seconds
AWAY: Final = 12.0

Harm = Callable[[Several, int], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def node_killed(world: Several, number: int) -> AsyncIterator[None]:
    """-9, and started again."""
    world.kills += 1
    await world.nodes[number].kill()
    yield
    await world.nodes[number].start()


@asynccontextmanager
async def node_frozen(world: Several, number: int) -> AsyncIterator[None]:
    """SIGSTOP until others own its trips, and on: it must neither write nor show what is stale."""
    world.nodes[number].freeze()
    try:
        yield
        await asyncio.sleep(FROZEN)  # simulates the freeze
    finally:
        world.nodes[number].thaw()


@asynccontextmanager
async def bus_killed(world: Several, number: int) -> AsyncIterator[None]:
    """-9 to one server of the bus."""
    world.kills += 1
    await world.bus[number].kill()
    yield
    await asyncio.sleep(AWAY)  # simulates the outage
    await world.bus[number].start()


@asynccontextmanager
async def bus_frozen(world: Several, number: int) -> AsyncIterator[None]:
    """SIGSTOP to one server of the bus: its nodes are told nothing."""
    world.bus[number].freeze()
    try:
        yield
        await asyncio.sleep(FROZEN)  # simulates the freeze
    finally:
        world.bus[number].thaw()


def cut(member: str, *planes: Plane) -> Harm:
    """What these networks carry to and from the member is dropped."""

    @asynccontextmanager
    async def harm(world: Several, number: int) -> AsyncIterator[None]:
        assert world.network is not None
        name = f"{member}-{NAMES[number]}"
        world.network.cut(name, *planes)
        try:
            yield
            await asyncio.sleep(AWAY)  # simulates the cut
        finally:
            world.network.join(name, *planes)
            if "front" in planes:
                world.staying.cut(world.nodes[number].port)  # its customers notice it by themselves

    return harm


ON_LOOPBACK: Final[dict[str, Harm]] = {
    "node killed": node_killed,
    "node frozen": node_frozen,
    "bus killed": bus_killed,
    "bus frozen": bus_frozen,
}
CUTS: Final[dict[str, Harm]] = {
    "node cut off": cut("node", *PLANES),
    "node cut off from the bus": cut("node", "bus"),
    "node cut off from PostgreSQL": cut("node", "data"),
    "bus cut off": cut("bus", "bus"),
}


OFTEN: Final = tuple(CATALOGUE[name] for name in ("everybody_cut", "jitter", "backlog", "second_phone"))


async def disturb(world: Several, seconds: float, happened: Counter[str]) -> None:
    """Every fault of every member once before any comes again, and faults of networks and devices between."""
    latest = monotonic() + seconds
    while True:
        faults = [(name, number) for name in (*ON_LOOPBACK, *CUTS) for number in range(COUNT)]
        world.random.shuffle(faults)
        for name, number in faults:
            if monotonic() > latest:
                return
            happened[name] += 1
            await happen(world, name, number)
            beside = world.random.choice(OFTEN)
            happened[beside.__name__] += 1
            await beside(world)
            await asyncio.sleep(world.random.random() * 2)  # simulates irregular faults


async def happen(world: Several, name: str, number: int) -> None:
    """One fault, and what must come of it while it lasts and afterwards."""
    harm = (ON_LOOPBACK | CUTS)[name]
    known = len(world.violations)
    await world.measure_slowness()
    with world.fault(name) as fault:
        async with harm(world, number):
            await world.moves_on(fault)
    await world.converges(fault)
    world.violations[known:] = [f"{name} {NAMES[number]}: {wrong}" for wrong in world.violations[known:]]
