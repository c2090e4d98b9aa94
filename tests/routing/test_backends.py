"""Wherever the engine is, the answers are the same; where it is not, that is told soon."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.waiting import until
from tracker.config import Config
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.errors import NoRoute, RouterUnavailable
from tracker.map.extract import MapExtract, find_map
from tracker.routing import Router
from tracker.routing.child_process import run_valhalla
from tracker.routing.circuit_breaker import FAILURES, OPEN_FOR, CircuitBreaker
from tracker.routing.tiles import prepare_tiles

STATION = LonLat(24.9414, 60.1710)
CATHEDRAL = LonLat(24.9522, 60.1695)
ESPLANADE = LonLat(24.9478, 60.1676)
OFF_THE_MAP = LonLat(24.40, 60.17)
WAIT = 20.0  # seconds


@pytest.fixture(scope="session")
def map_file(data_dir: Path) -> MapExtract:
    return find_map(Config(data_dir=data_dir))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def configuration(map_file: MapExtract) -> Path:
    """That of the tiles, which are built."""
    return await prepare_tiles(map_file, lambda _: None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(configuration: Path) -> AsyncIterator[str]:
    """An engine that is served at an address."""
    async with run_valhalla(configuration) as url:
        yield url


@pytest.fixture
async def inside(map_file: MapExtract, configuration: Path) -> AsyncIterator[Router]:
    async with Router.open(map_file, lambda _: None) as router:
        yield router


@pytest.fixture
async def elsewhere(map_file: MapExtract, address: str) -> AsyncIterator[Router]:
    async with Router.open(map_file, pytest.fail, address) as router:
        yield router


@pytest.mark.parametrize("vehicle", ["car", "bicycle", "scooter", "foot"])
async def test_an_engine_elsewhere_says_the_same(inside: Router, elsewhere: Router, vehicle: Vehicle) -> None:
    """Legs, seconds, streets with their keys and lights: nothing differs."""
    places = [STATION, ESPLANADE, CATHEDRAL]
    assert await elsewhere.route(places, vehicle, edges=True) == await inside.route(
        places, vehicle, edges=True
    )


@pytest.mark.parametrize("places", [[OFF_THE_MAP, STATION], [STATION, OFF_THE_MAP], [STATION]])
async def test_an_engine_elsewhere_refuses_the_same(elsewhere: Router, places: list[LonLat]) -> None:
    """No way is no way, and nothing that speaks against the engine."""
    for _ in range(FAILURES + 1):
        with pytest.raises(NoRoute):
            await elsewhere.route(places, "car")
    assert elsewhere.up


async def test_many_askers_at_once_are_answered_elsewhere(elsewhere: Router) -> None:
    """More than there are threads, here and there."""
    answers = await asyncio.gather(*(elsewhere.route([STATION, CATHEDRAL], "car") for _ in range(60)))
    assert len({legs[0].duration_s for legs in answers}) == 1


def children() -> set[int]:
    """The process ids of the engines that we serve by now."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name.startswith("valhalla_servic") and int(rest.split()[1]) == os.getpid():
            found.add(int(status.parent.name))
    return found


async def answers(router: Router) -> bool:
    try:
        return len(await router.route([STATION, CATHEDRAL], "car")) == 1
    except RouterUnavailable:
        return False


async def test_a_child_that_dies_takes_nobody_with_it(map_file: MapExtract, configuration: Path) -> None:
    """The askers are told, another child is started, and the same router answers again; it ends with us."""
    before = children()
    async with Router.open(map_file, lambda _: None, "child") as router:
        assert await answers(router)
        [child] = children() - before
        os.kill(child, signal.SIGKILL)
        await until(lambda: child not in children())
        await until(lambda: answers(router), WAIT, every=0.4)  # seldom enough for the circuit breaker
    assert children() == before


async def test_a_child_listens_to_us_alone(map_file: MapExtract, configuration: Path) -> None:
    """On loopback, and on no other interface."""
    before = children()
    async with Router.open(map_file, lambda _: None, "child"):
        [child] = children() - before
        sockets = {link.readlink().name for link in Path(f"/proc/{child}/fd").iterdir() if link.is_symlink()}
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{child}/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in sockets
        ]
        assert [local.split(":")[0] for local in listening] == ["0100007F"]


async def test_an_address_where_nobody_answers_stops_no_start(map_file: MapExtract) -> None:
    """Each asker is told at once, and the router counts as down."""
    async with Router.open(map_file, pytest.fail, "http://127.0.0.1:9") as router:
        for _ in range(FAILURES + 1):
            with pytest.raises(RouterUnavailable):
                await router.route([STATION, CATHEDRAL], "car")
        assert not router.up


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Somebody who says the same to everybody; with nothing to say, keeps them waiting."""
    held: list[asyncio.StreamWriter] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        held.append(writer)
        if answer:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in held:
            writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>Hi</p>",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"this is no HTTP\r\n\r\n",
    ],
)
async def test_whoever_is_no_engine_counts_as_none(map_file: MapExtract, answer: bytes) -> None:
    """A proxy's error page, a page of somebody else, noise: unavailable, never a crash and never a route."""
    async with answering(answer) as url, Router.open(map_file, pytest.fail, url) as router:
        with pytest.raises(RouterUnavailable):
            await router.route([STATION, CATHEDRAL], "car")


async def test_an_engine_that_hangs_is_given_up(
    map_file: MapExtract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within its time; after some in a row nobody waits for it any more."""
    async with answering(b"") as url, Router.open(map_file, pytest.fail, url) as router:
        monkeypatch.setattr("tracker.routing.router.TIME_OUT", 0.05)
        for _ in range(FAILURES):
            with pytest.raises(RouterUnavailable, match="did not answer within"):
                await router.route([STATION, CATHEDRAL], "car")
        with pytest.raises(RouterUnavailable, match="5 times in a row"):
            await router.route([STATION, CATHEDRAL], "car")


# --- the breaker by itself


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        breaker.enter()
        breaker.failed()
    return breaker


def test_a_few_failures_are_no_failure() -> None:
    """Only those in a row count: an answer forgives the ones before."""
    breaker = CircuitBreaker(Clock())
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.enter()
            breaker.failed()
        breaker.succeeded()
    assert breaker.up


def test_who_is_down_is_left_alone() -> None:
    """Nobody gets through until the rest is over."""
    clock = Clock()
    breaker = broken(clock)
    assert not breaker.up
    clock.now += OPEN_FOR - 0.1
    with pytest.raises(RouterUnavailable):
        breaker.enter()


def test_one_tries_whether_it_is_back() -> None:
    """After the rest one gets through, the others wait for what becomes of it."""
    clock = Clock()
    breaker = broken(clock)
    clock.now += OPEN_FOR
    breaker.enter()
    with pytest.raises(RouterUnavailable):
        breaker.enter()
    breaker.succeeded()
    assert breaker.up
    breaker.enter()
    breaker.enter()


def test_who_is_still_down_rests_again() -> None:
    """One failed try is enough."""
    clock = Clock()
    breaker = broken(clock)
    clock.now += OPEN_FOR
    breaker.enter()
    breaker.failed()
    with pytest.raises(RouterUnavailable):
        breaker.enter()
    clock.now += OPEN_FOR
    breaker.enter()


def test_who_tried_and_never_came_back_hinders_nobody() -> None:
    """A try that was cancelled says nothing; after a while somebody else may."""
    clock = Clock()
    breaker = broken(clock)
    clock.now += OPEN_FOR
    breaker.enter()
    clock.now += OPEN_FOR
    breaker.enter()
