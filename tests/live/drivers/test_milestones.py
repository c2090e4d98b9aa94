"""MilestoneWriter: what the fixes show reaches timelines and access points, in order and once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tracker.domain.arrival.access_points import place_key
from tracker.domain.arrival.milestone import Milestone, MilestoneReached
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.route import Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.errors import StorageUnavailable
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import LiveTrip
from tracker.metrics import Metrics

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
DOOR_M = 30.0  # east of the dropoff: where the driver stops
WAIT_S = 10.0


class Rows:
    """A database: its timeline and access points. Writes wait until `open` is set, and fail on request."""

    def __init__(self) -> None:
        self.timeline: list[tuple[str, Milestone, datetime]] = []
        self.access_points: dict[str, list[tuple[float, float, int, int, float]]] = {}
        self.errors: list[Exception] = []  # of the next writes
        self.begun, self.written = asyncio.Event(), asyncio.Event()
        self.failed = asyncio.Event()  # no error is left
        self.open = asyncio.Event()
        self.open.set()

    async def insert(self, order_id: str, kind: Milestone, at: datetime) -> bool:
        await self._write()
        is_new = all((order_id, kind) != entry[:2] for entry in self.timeline)
        if is_new:
            self.timeline.append((order_id, kind, at))
        self.written.set()
        return is_new

    async def _write(self) -> None:
        self.begun.set()
        await self.open.wait()
        if self.errors:
            error = self.errors.pop(0)
            if not self.errors:
                self.failed.set()
            raise error

    async def fetch(self, name: str, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        if name == "select_milestones":
            return [entry for entry in self.timeline if entry[0] in keys]
        assert name == "select_access_points"
        return [(key, *point) for key in keys for point in self.access_points.get(key, [])]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Rows"]:
        await self._write()
        yield self

    async def execute(self, name: str, place: str, *columns: Sequence[Any]) -> None:
        if name == "insert_access_points":
            self.access_points[place] = list(zip(*columns, strict=True))
        else:
            assert name in ("lock_access_points", "delete_access_points")


@pytest.fixture
def rows() -> Rows:
    return Rows()


def writer(rows: Rows, metrics: Metrics | None = None) -> MilestoneWriter:
    return MilestoneWriter(rows, rows.insert, metrics or Metrics())  # type: ignore[arg-type]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def reached(kind: Milestone, seconds: float = 0.0, order_id: str = "ord_a") -> MilestoneReached:
    return MilestoneReached(order_id, kind, at(seconds))


def place(east: float) -> Place:
    lon, lat = PLANE.to_lonlat(east, 0.0)
    return Place(lat, lon, f"{east:.0f} Street")


def order_of(name: str = "ord_a", **more: Any) -> Order:
    fields = {"status": OrderStatus.PICKED_UP, "driver_id": "drv_a", "assigned_at": NOW, **more}
    return Order(
        id=name, created_at=NOW, pickup=place(0.0), dropoff=place(3_000.0), picked_up_at=NOW, **fields
    )


def delivered(order: Order, seconds: float) -> Order:
    return msgspec.structs.replace(order, status=OrderStatus.DELIVERED, delivered_at=at(seconds))


def live_trip(order: Order, *, opens_at: datetime | None = None) -> LiveTrip:
    """A trip to the order's dropoff."""
    live = LiveTrip(Trip(Driver(id="drv_a", number=1, name="Aino", vehicle="car", created_at=NOW)))
    stop = Stop(order.id, "dropoff", order.dropoff.lonlat, 0.0, opens_at=opens_at)
    live.trip.replan([order], [stop])
    live.milestones.begin({}, [order.id])
    return live


def stand(live: LiveTrip, begins: float, ends: float, east: float = 3_000.0 + DOOR_M) -> None:
    """The driver stands there, and reports it every 10 s."""
    lon, lat = PLANE.to_lonlat(east, 0.0)
    for second in range(int(begins), int(ends) + 1, 10):
        fix = Fix(at(second), lat, lon, 5.0, 0.0)
        live.receive_fixes([fix], now=at(second), retention=timedelta(days=1))


async def test_milestones_are_written_in_the_order_of_their_detection(rows: Rows) -> None:
    """And counted, each once: another node may have written one before."""
    rows.timeline = [("ord_b", "approaching", NOW)]
    metrics = Metrics()
    milestones = writer(rows, metrics)
    async with milestones.running():
        milestones.add([reached("departed_pickup", 5.0), reached("approaching", 1.0, "ord_b")])
        milestones.add([reached("approaching", 3.0)])
    assert rows.timeline[1:] == [
        ("ord_a", "departed_pickup", at(5.0)),
        ("ord_a", "approaching", at(3.0)),
    ]
    assert b'tracker_milestones_total{kind="approaching"} 1.0' in metrics.text()


async def test_a_milestone_is_written_at_once(rows: Rows) -> None:
    """Merchants read it in the timeline while it matters."""
    milestones = writer(rows)
    async with asyncio.timeout(WAIT_S), milestones.running():
        milestones.add([reached("approaching")])
        await rows.written.wait()
        assert len(rows.timeline) == 1


async def test_milestones_wait_for_the_database(rows: Rows) -> None:
    """They are read from the queue meanwhile, and written later in the same order."""
    rows.errors = [StorageUnavailable("down")]
    milestones = writer(rows)
    with capture_logs() as logs:
        async with asyncio.timeout(WAIT_S), milestones.running():
            milestones.add([reached("departed_pickup"), reached("approaching", 9.0)])
            await rows.begun.wait()
            assert await milestones.recorded({"ord_a", "ord_b"}) == {
                "ord_a": {"departed_pickup": NOW, "approaching": at(9.0)}
            }
    assert [kind for _, kind, _ in rows.timeline] == ["departed_pickup", "approaching"]
    assert [(one["event"], one["waiting"]) for one in logs] == [("milestones_delayed", 2)]


async def test_a_milestone_that_is_rejected_does_not_block_the_others(rows: Rows) -> None:
    """One order's trouble is not another's."""
    rows.errors = [ValueError("no such order")]
    milestones = writer(rows)
    with capture_logs() as logs:
        async with milestones.running():
            milestones.add([reached("approaching", order_id="ord_gone"), reached("approaching")])
    assert [order_id for order_id, *_ in rows.timeline] == ["ord_a"]
    assert [one["event"] for one in logs] == ["milestones_rejected"]


async def test_a_milestone_that_is_written_during_the_read_is_not_missed(rows: Rows) -> None:
    """It leaves the queue after the rows were read."""
    milestones = writer(rows)
    rows.open.clear()

    async def fetch(_name: str, _keys: Sequence[str]) -> list[tuple[Any, ...]]:
        read = list(rows.timeline)
        rows.open.set()
        await rows.written.wait()
        return read

    async with asyncio.timeout(WAIT_S), milestones.running():
        milestones.add([reached("approaching")])
        await rows.begun.wait()
        rows.fetch = fetch  # type: ignore[method-assign, assignment]
        assert await milestones.recorded({"ord_a"}) == {"ord_a": {"approaching": NOW}}


async def test_a_delivery_confirms_the_arrival(rows: Rows) -> None:
    """A reported delivery with one fix at the stop records the milestones before the stop leaves the trip."""
    order = order_of()
    live = live_trip(order)
    stand(live, 100, 100)
    milestones = writer(rows)
    async with milestones.running():
        milestones.order_changed(delivered(order, 120.0), [live])
    assert [kind for _, kind, _ in rows.timeline] == ["approaching", "arrived_at_dropoff"]


async def test_a_served_stop_moves_the_access_point_of_its_place(rows: Rows) -> None:
    """Where the driver stood, and for how long; the second driver's stop joins the first."""
    milestones = writer(rows)
    async with milestones.running():
        for served_at in (160.0, 180.0):
            order = order_of()
            live = live_trip(order)
            stand(live, 100, 150)
            milestones.add(live.take_milestones())
            milestones.order_changed(delivered(order, served_at), [live])
    [(lat, lon, stops, dwells, dwell_s)] = rows.access_points[place_key(place(3_000.0))]
    assert distance(LonLat(lon, lat), PLANE.to_lonlat(3_000.0 + DOOR_M, 0.0)) < 1.0
    assert (stops, dwells) == (2, 2)
    assert dwell_s == pytest.approx(60.0 + 80.0)


async def test_the_wait_for_a_stop_to_open_is_no_dwell(rows: Rows) -> None:
    """The driver came early; the stop took the time since it opened."""
    order = order_of()
    live = live_trip(order, opens_at=at(140.0))
    stand(live, 100, 150)
    milestones = writer(rows)
    async with milestones.running():
        milestones.order_changed(delivered(order, 160.0), [live])
    [(*_, dwells, dwell_s)] = rows.access_points[place_key(place(3_000.0))]
    assert (dwells, dwell_s) == (1, 20.0)


@pytest.mark.parametrize(
    ("east", "served_at"),
    [
        (3_000.0 + DOOR_M, 600.0),  # long after the last fix
        (2_500.0, 160.0),  # somewhere else
    ],
)
async def test_a_stop_that_the_fixes_do_not_show_teaches_nothing(
    rows: Rows, east: float, served_at: float
) -> None:
    """Nor does an order that is not over."""
    order = order_of()
    live = live_trip(order)
    stand(live, 100, 150, east)
    milestones = writer(rows)
    async with milestones.running():
        milestones.order_changed(order, [live])
        milestones.order_changed(delivered(order, served_at), [live])
    assert rows.access_points == {}


async def test_an_access_point_waits_for_the_database_and_counts_once(rows: Rows) -> None:
    """Adding a stop is not idempotent: it is written in one transaction, or not at all."""
    rows.errors = [StorageUnavailable("down")] * 2  # of a milestone and of the access point
    order = order_of()
    live = live_trip(order)
    stand(live, 100, 150)
    live.take_milestones()
    milestones = writer(rows)
    with capture_logs() as logs:
        async with asyncio.timeout(WAIT_S), milestones.running():
            milestones.add([reached("approaching")])
            milestones.order_changed(delivered(order, 160.0), [live])
            await rows.failed.wait()
    [(_, _, stops, *_)] = rows.access_points[place_key(place(3_000.0))]
    assert stops == 1
    assert {one["event"] for one in logs} == {"milestones_delayed", "access_points_delayed"}
