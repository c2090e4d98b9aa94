"""All that customers are sent in a scenario is recorded, by every way; no coordinate breaks the rules."""

import asyncio
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import msgspec

from tests.api.merchant import parse
from tests.privacy.recording import JUDGE, verdict
from tests.service import Service, hear, say, token_of
from tests.test_end_to_end import fix
from tests.watchers import WAYS, Watcher
from tracker.domain.geo import LonLat, distance
from tracker.domain.privacy.other_dropoffs import HIDING_RADIUS

START: Final = LonLat(24.9440, 60.1713)
FIRST: Final = LonLat(24.9460, 60.1690)
SECOND: Final = LonLat(24.9486, 60.1666)
THIRD: Final = LonLat(24.9420, 60.1650)
ELSEWHERE: Final = LonLat(24.9360, 60.1690)  # where the driver comes from who takes over
STEP: Final = 18.0  # metres between two fixes
SEEN_WHEN_NEXT: Final = {"position": {"stops": 1}, "route": {"stops": 1}}  # one stop of others before theirs
POSITION_FIELDS: Final = ("position", "route", "trail")
SEEN_BY_ALL: Final = {"position": "always", "route": "always"}


class Recording:
    """What the customers of one link were sent."""

    def __init__(self, order: Any, token: str) -> None:
        self.order = order
        self.watchers = {name: Watcher() for name in WAYS}
        self.token = token
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self, service: Service) -> None:
        for name, way in WAYS.items():
            watching = self.watchers[name].watch(way(service, self.token))
            self.tasks.append(asyncio.create_task(watching))
        for watcher in self.watchers.values():
            await watcher.reaches(watcher.was_told)

    def messages(self) -> Iterator[dict[str, Any]]:
        for watcher in self.watchers.values():
            yield from (message for _, message in watcher.told)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def path(*places: LonLat) -> list[LonLat]:
    """A fix every STEP metres along straight lines."""
    return [
        LonLat(a.lon + (b.lon - a.lon) * n * STEP / length, a.lat + (b.lat - a.lat) * n * STEP / length)
        for a, b in pairwise(places)
        for length in [distance(a, b)]
        for n in range(int(length / STEP))
    ]


async def drive(courier: Any, places: list[LonLat]) -> None:
    for place in places:
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, place.lat, place.lon)])
        await hear(courier, "ack")
        await asyncio.sleep(0.12)  # simulates the interval between fixes


def coordinates(message: dict[str, Any], *fields: str) -> list[LonLat]:
    """Every place that a message tells, whichever field it is in."""
    found = []
    for field in fields:
        value = message.get(field)
        if value is not None and field == "position":
            found.append(LonLat(value["lon"], value["lat"]))
        elif value is not None:
            found += [LonLat(lon, lat) for lon, lat in value["coordinates"]]
    return found


def said_between(
    recording: Recording, begin: datetime | None, end: datetime | None
) -> Iterator[dict[str, Any]]:
    """Snapshots and updates by the service's own clock."""
    for message in recording.messages():
        if message["type"] in {"snapshot", "update"}:
            at = parse(message["now"])
            if (begin is None or at > begin) and (end is None or at < end):
                yield message


async def new_order(service: Service, dropoff: LonLat, driver: Any = None, **more: object) -> Any:
    place = {"lat": dropoff.lat, "lon": dropoff.lon}
    pickup = {"lat": START.lat, "lon": START.lon}
    return await service.new_order(driver and driver["id"], pickup=pickup, dropoff=place, **more)


class Scene(msgspec.Struct):
    """What happened, when (asked for, answered), and all that customers were sent of it."""

    first: Recording
    second: Recording
    third: Recording  # not assigned at first; later taken over by another driver
    by_rule: Recording
    revoked: Recording  # another link of the second
    at: dict[str, tuple[datetime, datetime]] = {}

    @property
    def all(self) -> dict[str, Recording]:
        names = ("first", "second", "third", "by_rule", "revoked")
        return {name: getattr(self, name) for name in names}

    async def happens(self, name: str, call: Awaitable[Any]) -> None:
        asked = datetime.now(UTC)
        await call
        self.at[name] = asked, datetime.now(UTC)

    async def becomes(self, service: Service, name: str, status: str) -> None:
        path = f"/v1/orders/{self.all[name].order['id']}/status"
        await self.happens(f"{name} {status}", service.post(path, {"status": status}))
        self.at[f"{name} over"] = self.at[f"{name} {status}"]


async def test_nothing_that_was_sent_breaks_a_rule(service: Service) -> None:
    """Three orders and a fourth on a trip, one reassigned, ends and a revocation, watched by every way."""
    driver = await service.new_driver("Aino Salasukunimi", "car")
    other = await service.new_driver("Eero Toinensukunimi", "car")
    second = await new_order(service, SECOND, driver, visibility=SEEN_BY_ALL)
    link = await service.post(f"/v1/orders/{second['id']}/links", {})
    orders = [
        await new_order(service, FIRST, driver, visibility=SEEN_BY_ALL),
        second,
        await new_order(service, THIRD, visibility=SEEN_BY_ALL),
        await new_order(service, THIRD, driver, visibility=SEEN_WHEN_NEXT),
    ]
    await in_this_order(service, driver, orders[0], second, orders[3])
    seen = [Recording(order, token_of(order)) for order in orders]
    revoked = Recording(second, link["url"].rsplit("/", 1)[1])
    scene = Scene(seen[0], seen[1], seen[2], seen[3], revoked)
    for recording in scene.all.values():
        await recording.begin(service)
    try:
        async with service.drive(driver["token"]) as courier, service.drive(other["token"]) as relief:
            await act(service, scene, driver=driver, other=other, link=link, courier=courier, relief=relief)
    finally:
        for recording in scene.all.values():
            await recording.end()
    check_that_there_was_something(scene)
    judged = JUDGE.judged
    assert verdict() == []  # the judge of the whole suite, who knows nothing of this scene
    assert JUDGE.judged - judged > 100
    check_ends(scene)
    check_doors(scene)
    check_who_carries(scene)
    check_rule(scene)


async def in_this_order(service: Service, driver: Any, *orders: Any) -> None:
    """The driver's stops: everything is fetched, then brought in this sequence."""
    stops = [{"order_id": order["id"], "kind": kind} for kind in ("pickup", "dropoff") for order in orders]
    answer = await service.http.put(f"/v1/drivers/{driver['id']}/stops", json={"stops": stops})
    assert answer.is_success, answer.text


async def act(
    service: Service, scene: Scene, *, driver: Any, other: Any, link: Any, courier: Any, relief: Any
) -> None:
    """Each door is left well behind before its order is told to be over."""
    way = path(START, FIRST, SECOND, THIRD)
    after_first = next(n for n in range(len(way)) if beyond(way, n, FIRST))
    after_second = next(n for n in range(len(way)) if beyond(way, n, SECOND))
    await drive(courier, way[:4])
    assign = f"/v1/orders/{scene.third.order['id']}/assign"
    await scene.happens("assigned", service.post(assign, {"driver_id": driver["id"]}))
    for name in ("first", "second", "third", "by_rule"):
        await scene.becomes(service, name, "picked_up")
    await drive(courier, way[4:after_first])
    await scene.becomes(service, "first", "delivered")
    links = f"/v1/orders/{scene.second.order['id']}/links/{link['id']}"
    await scene.happens("revoked", service.http.delete(links))
    await drive(courier, way[after_first:after_second])
    await scene.becomes(service, "second", "delivered")
    await scene.happens("reassigned", service.post(assign, {"driver_id": other["id"]}))
    await asyncio.gather(drive(courier, way[after_second:-8]), drive(relief, path(ELSEWHERE, START)[:12]))
    await scene.becomes(service, "third", "cancelled")
    await scene.becomes(service, "by_rule", "failed")
    await drive(courier, way[-8:])


def check_that_there_was_something(scene: Scene) -> None:
    """Rules that nothing could have broken prove nothing; and of names there is never more than the first."""
    for field in POSITION_FIELDS:
        told = [one for recording in scene.all.values() for one in recording.messages()]
        assert sum(len(coordinates(message, field)) for message in told) > 20
    for recording in scene.all.values():
        for message in recording.messages():
            assert b"sukunimi" not in msgspec.json.encode(message)


def check_ends(scene: Scene) -> None:
    """Nothing after the end, nothing at all by a revoked link."""
    for name, recording in scene.all.items():
        if recording is not scene.revoked:
            for message in said_between(recording, scene.at[f"{name} over"][1], None):
                assert coordinates(message, *POSITION_FIELDS) == []
    assert list(said_between(scene.revoked, scene.at["revoked"][1], None)) == []
    ends = {name: watcher.ended for name, watcher in scene.revoked.watchers.items() if name != "poll"}
    assert set(ends.values()) == {"revoked"}


def check_doors(scene: Scene) -> None:
    """Others' doors were driven by only while they were open: they are in no position and no trail, ever.

    A later route may lead by a door that is closed.
    """
    doors = {"first": [SECOND, THIRD], "second": [FIRST, THIRD], "by_rule": [FIRST, SECOND]}
    doors["revoked"] = doors["second"]
    for name, others in doors.items():
        messages = scene.all[name].messages()
        places = [place for message in messages for place in coordinates(message, "position", "trail")]
        assert places, name
        assert all(distance(place, door) > HIDING_RADIUS for place in places for door in others), name
    open_until = {"first": (SECOND, "second"), "second": (FIRST, "first"), "third": (SECOND, "second")}
    open_until["by_rule"] = open_until["third"]
    for name, (door, closing) in open_until.items():
        messages = said_between(scene.all[name], None, scene.at[f"{closing} over"][0])
        places = [place for message in messages for place in coordinates(message, "route")]
        assert places, name
        assert all(distance(place, door) > HIDING_RADIUS for place in places), name


def check_who_carries(scene: Scene) -> None:
    """Before the assignment nobody; after the other driver took over only they."""
    for message in said_between(scene.third, None, scene.at["assigned"][0]):
        assert coordinates(message, *POSITION_FIELDS) == []
        assert message.get("driver") is None
    theirs = path(ELSEWHERE, START)
    later = list(said_between(scene.third, scene.at["reassigned"][1], None))
    places = [place for message in later for place in coordinates(message, "position", "trail")]
    assert places
    assert all(min(distance(place, mine) for mine in theirs) < 60.0 for place in places)


def check_rule(scene: Scene) -> None:
    """By the order's own rule nothing came into sight before one stop was left before theirs."""
    asked, _ = scene.at["first over"]
    early = [coordinates(message, *POSITION_FIELDS) for message in said_between(scene.by_rule, None, asked)]
    assert not any(early)
    assert any(coordinates(message, "position") for message in said_between(scene.by_rule, asked, None))


def beyond(way: list[LonLat], n: int, door: LonLat) -> bool:
    """Whether the driver has been at the door and is well away from it."""
    reached = min(range(len(way)), key=lambda index: distance(way[index], door))
    return n > reached and distance(way[n], door) > HIDING_RADIUS + 50.0
