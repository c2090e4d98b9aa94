"""The dispatchers' board: processor time of 10,000 moving drivers, by update and by dispatcher."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from time import process_time
from typing import Final

from bench.node import Node
from bench.rows import Row
from tracker.database.dispatch.board import BoardOrder, BoardPlace
from tracker.database.drivers import Activity
from tracker.domain.area import Area
from tracker.domain.order import Driver, OrderStatus
from tracker.domain.tracks.fix import Fix
from tracker.live.board.facts import DriverFacts
from tracker.live.board.state import BoardState
from tracker.live.board.subscription import FleetSubscription

DRIVERS: Final = 10_000
MOVES_PER_S: Final = 1_000  # each driver reports every ten seconds
SECONDS: Final = 20
DISPATCHERS: Final = 20
UPDATE_LIMIT_US: Final = 100.0  # 1,000 updates a second then take a tenth of a core
DISPATCHER_LIMIT_MS: Final = 10.0  # of each second
SNAPSHOT_LIMIT_MS: Final = 100.0
START: Final = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PLACE: Final = BoardPlace(60.17, 24.94, "Kasarmikatu 36")
CENTRE: Final = Area(24.90, 60.15, 24.95, 60.20)


class _City:
    """A board with many drivers, each with an order, and a clock."""

    def __init__(self) -> None:
        self.now, self._random = START, Random(7)
        self.state = BoardState(lambda: self.now)
        for number in range(DRIVERS):
            id_, order_id = f"drv_{number:024}", f"ord_{number:024}"
            driver = Driver(id=id_, number=number, name="Aino Korhonen", vehicle="car", created_at=START)
            self.state.take_driver(driver, Activity(None, None, (order_id,)))
            window_to = START + timedelta(hours=1)
            places = (order_id, "1042", OrderStatus.ASSIGNED, id_, START, PLACE, PLACE)
            self.state.take_order(BoardOrder(*places, None, window_to, 1, 1, False, None))
            self._move(number)

    def drive(self, second: int) -> None:
        """Move the next thousand drivers."""
        self.now += timedelta(seconds=1)
        for number in range(second * MOVES_PER_S, (second + 1) * MOVES_PER_S):
            self._move(number % DRIVERS)
        self.state.review()

    def _move(self, number: int) -> None:
        lat, lon = 60.0 + self._random.random() / 3, 24.8 + self._random.random() / 3
        fix = Fix(self.now, lat, lon, 5.0, 8.3, 123.4, None, 0.8)
        self.state.take_facts(DriverFacts(f"drv_{number:024}", fix, "on", 10.0, off_route=False))

    def dispatcher(self, viewport: Area | None = None) -> FleetSubscription:
        subscription = FleetSubscription(self.state.rows, lambda: "2026-11-22T16:43:00.250Z")
        subscription.drain()
        if viewport is not None:
            subscription.look_at(viewport)
            subscription.drain()
        return subscription


async def measure_fleet(_: Node) -> list[Row]:
    """Measure the board in this process, without a service and sockets."""
    city = _City()
    snapshot_s = min(_took(city.dispatcher) for _ in range(3))
    everywhere = [city.dispatcher() for _ in range(DISPATCHERS)]
    centre = [city.dispatcher(CENTRE) for _ in range(DISPATCHERS)]
    moving_s = all_s = centre_s = 0.0
    for second in range(SECONDS):
        moving_s += _took(lambda second=second: city.drive(second))  # type: ignore[misc]
        moving_s += _took(everywhere[0].drain)  # which encodes for all of them
        all_s += _took(lambda: [one.drain() for one in everywhere[1:]])
        centre_s += _took(lambda: [one.drain() for one in centre])
    update_us = moving_s / (SECONDS * MOVES_PER_S) * 1e6
    per_dispatcher_ms = all_s / (SECONDS * (DISPATCHERS - 1)) * 1e3
    centre_ms = centre_s / (SECONDS * DISPATCHERS) * 1e3
    who = f"{DRIVERS:,} drivers at 1/10 Hz"
    return [
        _row("fleet stream: one update of a driver", update_us, "µs", UPDATE_LIMIT_US, who),
        _row("fleet stream: a dispatcher, each second", per_dispatcher_ms, "ms", DISPATCHER_LIMIT_MS, who),
        _row(
            "fleet stream: the same with a viewport", centre_ms, "ms", DISPATCHER_LIMIT_MS, "a tenth of them"
        ),
        _row("fleet stream: a snapshot", snapshot_s * 1e3, "ms", SNAPSHOT_LIMIT_MS, "once encoded"),
    ]


def _took(work: Callable[[], object]) -> float:
    """Return the seconds of processor time."""
    began = process_time()
    work()
    return process_time() - began


def _row(name: str, value: float, unit: str, limit: float, detail: str) -> Row:
    return Row(name=name, value=value, unit=unit, against="limit", reference=limit, detail=detail)
