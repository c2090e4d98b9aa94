"""A recorded trip, driven again through the running service, shows on the page what the evaluation says."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from playwright.async_api import Browser

from driver_sim.replay.player import Replay, replay
from driver_sim.replay.schedule import Timing
from driver_sim.tracks import read_tracks
from tests.browser import needs_chromium, opened
from tests.fork_server import ROOT
from tests.service import ADMIN_KEY, Service, running_service
from tests.watchers import Watcher, by_socket
from tracker.config import Config
from tracker.domain.eta.model import EtaModels
from tracker.eta.evaluation import read_trips
from tracker.eta.evaluation.baselines import Baselines
from tracker.eta.evaluation.recorded_trips import RecordedTrip
from tracker.eta.evaluation.replay import Moment
from tracker.eta.evaluation.replay import Replay as Evaluation
from tracker.map.extract import find_map
from tracker.routing import Router

TRIPS: Final = ROOT / "bench/trips/trips-helsinki-light-s2.jsonl.gz"
TRIP: Final = "helsinki-light-s2-c72"  # one stop, 204 s: it is driven in real time
EVERY: Final = 0.5  # seconds between two looks at the page
SETTLED: Final = 2.0  # seconds after a fix: its update has come, and that of a new route
CLOSE: Final = 3.0  # seconds: answers of the router come a little later than on the virtual clock

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long, needs_chromium]


class Look(NamedTuple):
    """What one customer's page and another's program held at one moment."""

    at: datetime
    headline: str
    arrives_at: datetime | None


@pytest.fixture
async def fresh(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """A service that has learned nothing yet, as the evaluation begins without `--learn`."""
    async with running_service(data_dir, database_url) as service:
        yield service


@asynccontextmanager
async def looking(service: Service, browser: Browser, url: str) -> AsyncIterator[list[Look]]:
    """Looks at an order's page, and beside it at its stream, again and again."""
    looks: list[Look] = []
    watcher = Watcher()
    async with opened(browser, url) as page, asyncio.TaskGroup() as tasks:

        async def look() -> None:
            headline = page.locator("#headline")
            while True:
                said = await headline.text_content() or ""
                eta: Any = watcher.state.get("eta") or {}
                arrives_at = eta.get("arrives_at")
                looks.append(Look(datetime.now(UTC), said, arrives_at and datetime.fromisoformat(arrives_at)))
                await asyncio.sleep(EVERY)  # simulates a customer who looks now and then

        watching = tasks.create_task(watcher.watch(by_socket(service, url.rsplit("/", 1)[1])))
        looking = tasks.create_task(look())
        yield looks
        watching.cancel()
        looking.cancel()


async def driven(service: Service, browser: Browser, path: Path) -> tuple[list[Look], datetime]:
    """The looks at a trip's only order while it is driven, and when its first fix was made."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def say(line: str) -> None:
        if ": http" in line:
            url.set_result(line.partition(": ")[2])

    recordings = [each for each in read_tracks(path).recordings if each.name.endswith(TRIP)]
    wanted = Replay(url=service.url, recordings=recordings, timing=Timing(), api_key=ADMIN_KEY)
    driving = asyncio.create_task(replay(wanted, asyncio.Event(), say))
    async with looking(service, browser, await url) as looks:
        assert await driving
    order = (await service.get("/v1/orders"))["items"][0]
    track = (await service.http.get(f"/v1/orders/{order['id']}/track.ndjson?include=rejected")).text
    return looks, datetime.fromisoformat(msgspec.json.decode(track.splitlines()[0])["recorded_at"])


async def evaluated(trip: RecordedTrip, data_dir: Path) -> list[Moment]:
    async with Router.open(find_map(Config(data_dir=data_dir)), lambda _: None) as router:
        return await Evaluation(router, EtaModels(), Baselines()).run([trip])


def side_by_side(moments: list[Moment], looks: list[Look], later: timedelta) -> Iterator[tuple[float, Look]]:
    """For each forecast of the evaluation a look soon after its fix: seconds to go then, and that look."""
    for moment in moments:
        fixed = moment.at + later
        seen = [each for each in looks if SETTLED <= (each.at - fixed).total_seconds() <= SETTLED + 2.0]
        if seen:
            yield moment.forecasts["tracker"].seconds - (seen[-1].at - fixed).total_seconds(), seen[-1]


def headlines(seconds: float) -> set[str]:
    """What the page may say of so many seconds, give or take CLOSE."""
    minutes = {max(0, int((seconds + off) / 60.0 + 0.5)) for off in (-CLOSE, 0.0, CLOSE)}
    return {"Arriving now" if each < 1 else f"Arriving in {each} min" for each in minutes}


async def test_the_page_shows_what_the_evaluation_says(
    fresh: Service, browser: Browser, data_dir: Path
) -> None:
    """Each forecast of the trip: on the wire to within seconds, and on the page as its minute."""
    trip = next(each for each in read_trips(TRIPS) if each.trip_id == TRIP)
    looks, first = await driven(fresh, browser, TRIPS)
    moments = await evaluated(trip, data_dir)
    pairs = list(side_by_side(moments, looks, first - trip.fixes[0].recorded_at))
    assert len(pairs) >= 0.8 * len(moments)
    off = [
        abs((look.arrives_at - look.at).total_seconds() - seconds)
        for seconds, look in pairs
        if look.arrives_at is not None
    ]
    assert len(off) == len(pairs)
    assert median(off) <= 1.0
    assert sorted(off)[int(0.9 * len(off))] <= CLOSE
    said = [look.headline in headlines(seconds) for seconds, look in pairs]
    assert sum(said) >= 0.9 * len(said), [
        (round(seconds), look.headline) for seconds, look in pairs if look.headline not in headlines(seconds)
    ]
