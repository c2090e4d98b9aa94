"""What the board says of a driver and their orders, joined from the database, the live trip and forecasts."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from tracker.database.dispatch.board import BoardOrder, BoardPlace
from tracker.database.drivers import Activity
from tracker.domain.driver.silence import Silence
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Driver, OrderStatus
from tracker.domain.tracks.fix import Fix
from tracker.live.board.facts import DriverFacts
from tracker.live.board.state import BoardState

START: Final = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
DRIVER: Final = Driver(id="drv_1", number=1, name="Aino Korhonen", vehicle="car", created_at=START)
OLD: Final = Fix(START - timedelta(hours=1), 60.1, 24.8)
FIX: Final = Fix(START, 60.17, 24.94, battery=0.5)
FACTS: Final = DriverFacts("drv_1", FIX, "on", 5.0, off_route=False)
PLACE: Final = BoardPlace(60.17, 24.95, "Kasarmikatu 36")
ORDER: Final = BoardOrder(
    *("ord_1", "1042", OrderStatus.ASSIGNED, "drv_1", START, PLACE, PLACE),
    *(None, START + timedelta(minutes=30), 1, 3, False, None),
)


class Scene:
    """A board with one driver and one order, and a clock."""

    def __init__(self) -> None:
        self.now = START
        self.state = BoardState(lambda: self.now)
        self.state.take_driver(DRIVER, Activity(OLD, OLD.recorded_at, ("ord_1",)))
        self.state.take_order(ORDER)

    @property
    def driver(self) -> Any:
        return self.state.rows.drivers["drv_1"].wire

    @property
    def order(self) -> Any:
        return self.state.rows.orders["ord_1"].wire


def eta(minutes: float) -> Eta:
    at = START + timedelta(minutes=minutes)
    return Eta(
        arrives_at=at,
        earliest=at,
        latest=at,
        distance_m=1_000.0,
        stops_before=0,
        computed_at=START,
        basis="route",
    )


def test_the_newest_position_counts_and_grows_old() -> None:
    """The stored one until the live trip has a newer one; an old message never moves the driver back."""
    scene = Scene()
    assert (scene.driver.position.lat, scene.driver.freshness) == (60.1, "lost")
    scene.state.take_facts(FACTS)
    assert (scene.driver.position.lat, scene.driver.freshness) == (60.17, "live")
    scene.state.take_facts(replace(FACTS, position=replace(OLD, lat=60.0)))
    assert scene.driver.position.lat == 60.17
    for after_s, freshness in ((16, "stale"), (121, "lost")):
        scene.now = START + timedelta(seconds=after_s)
        scene.state.review()
        assert scene.driver.freshness == freshness


def test_off_duty_nobody_is_anywhere() -> None:
    """Whichever of database and live trip says it first; and one of them has to be read again."""
    scene = Scene()
    scene.state.take_facts(replace(FACTS, duty="off", position=None))
    assert (scene.driver.position, scene.driver.duty.on, scene.driver.freshness) == (None, False, "none")
    assert scene.state.doubtful == {"drv_1"}
    scene = Scene()
    scene.state.take_facts(FACTS)
    scene.state.take_driver(DRIVER, Activity(FIX, START, ("ord_1",), "off", START))
    assert scene.driver.position is None
    scene.state.take_facts(FACTS)  # sent before the change
    assert scene.driver.position is None
    scene.state.take_driver(DRIVER, Activity(FIX, START, ("ord_1",), "on", START))
    assert scene.driver.position is not None


def test_an_order_says_what_is_wrong() -> None:
    """Late, silent, off the route, a low battery, stuck; and nothing once that is over."""
    scene = Scene()
    scene.state.take_facts(FACTS)
    assert (scene.order.risks, scene.order.late_s) == ([], None)
    scene.state.take_eta("ord_1", eta(40))
    assert (scene.order.risks, scene.order.late_s) == (["late"], 600)
    scene.state.take_eta("ord_1", eta(20))
    scene.state.take_silences({"drv_1": Silence(START, "no_network", "reported")})
    assert scene.order.risks == ["silent"]
    assert (scene.driver.silence.reason, scene.driver.silence.reason_basis) == ("no_network", "reported")
    scene.state.take_silences({})
    scene.state.take_facts(replace(FACTS, off_route=True, position=replace(FIX, battery=0.1)))
    assert scene.order.risks == ["off_route", "battery_low"]
    scene.state.take_facts(FACTS)
    scene.state.take_order(ORDER._replace(is_stuck=True))
    assert scene.order.risks == ["stuck"]
    scene.state.take_order(ORDER)
    assert scene.order.risks == []


def test_an_order_without_a_forecast_is_late_when_its_window_is_over() -> None:
    """Nobody has to know when it will come."""
    scene = Scene()
    scene.state.take_order(ORDER._replace(driver_id=None, status=OrderStatus.CREATED))
    scene.now = START + timedelta(minutes=31)
    scene.state.review_windows()
    assert (scene.order.risks, scene.order.late_s) == (["late"], None)


def test_small_changes_of_a_forecast_are_not_sent() -> None:
    """Less than twenty seconds are no news; another driver's forecast does not stay."""
    scene = Scene()
    scene.state.take_eta("ord_1", eta(20))
    revision = scene.state.rows.revision
    scene.state.take_eta("ord_1", eta(20.2))
    assert scene.state.rows.revision == revision
    scene.state.take_order(ORDER._replace(driver_id="drv_2", version=4))
    assert scene.order.eta is None


def test_who_is_dropped_leaves_nothing() -> None:
    """Neither in the rows nor for a later message about them."""
    scene = Scene()
    scene.state.drop_driver("drv_1")
    scene.state.take_facts(FACTS)
    scene.state.review()
    assert scene.state.rows.drivers == {}
    scene.state.drop_order("ord_1")
    assert scene.state.rows.orders == {}
