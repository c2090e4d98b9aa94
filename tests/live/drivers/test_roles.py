"""A phone app and the driver page of one driver: the marker follows one of them at a time."""

from datetime import timedelta

from tests.live.drivers.test_trip import NOW, fix, live_trip, second
from tracker.domain.driver.duty import DutyTimes
from tracker.domain.driver.role import Role
from tracker.domain.tracks.fix import Fix
from tracker.live.drivers.trip import JudgedBatch, LiveTrip

MONTH = timedelta(days=30)


def receive(live: LiveTrip, role: Role, *fixes: Fix, at: float) -> JudgedBatch:
    return live.receive_fixes(fixes, now=NOW + second(at), retention=MONTH, role=role)


def test_an_app_and_the_page_side_by_side_never_make_the_marker_zigzag() -> None:
    """Ten metres apart and half a second after each other: all is stored and believed, one path is shown."""
    live, shown = live_trip(), []
    for n in range(60):
        app = receive(live, "source", fix(n, 60.17 + n * 1e-5), at=n)
        page = receive(live, "screen", fix(n + 0.5, 60.1701 + n * 1e-5), at=n + 0.5)
        assert [one.doubt for one in (*app.fixes, *page.fixes)] == [None, None]
        assert live.trip.position is not None
        shown.append(live.trip.position.lat)
    assert shown == [60.17 + n * 1e-5 for n in range(60)]


def test_a_screen_moves_the_marker_once_the_source_is_silent_for_30_s() -> None:
    """And no longer once the source is back. A screen without a source moves it at once."""
    live = live_trip()
    receive(live, "screen", fix(0, 60.1701), at=0)
    assert live.trip.position == fix(0, 60.1701)
    receive(live, "source", fix(1, 60.1702), at=1)
    receive(live, "screen", fix(30.9, 60.1703), at=30.9)
    assert live.trip.position == fix(1, 60.1702)
    receive(live, "screen", fix(31, 60.1704), at=31)
    assert live.trip.position == fix(31, 60.1704)
    receive(live, "source", fix(32, 60.1705), at=32)
    receive(live, "screen", fix(33, 60.1706), at=33)
    assert live.trip.position == fix(32, 60.1705)


def test_a_page_that_is_open_elsewhere_is_doubted() -> None:
    """Its fixes, however many agree, never re-seat the marker, and the source stays believed."""
    live = live_trip()
    for n in range(20):
        app = receive(live, "source", fix(n), at=n)
        desk = receive(live, "screen", fix(n + 0.5, 60.9), at=n + 0.5)
        assert [one.doubt for one in (*app.fixes, *desk.fixes)] == [None, "teleport"]
    assert live.trip.position == fix(19)


def test_the_source_is_not_silent_for_a_duplicate() -> None:
    """Only a new fix of the source keeps the screen aside."""
    live = live_trip()
    receive(live, "source", fix(0), at=0)
    receive(live, "source", fix(0), at=29)
    receive(live, "screen", fix(30, 60.1701), at=30)
    assert live.trip.position == fix(30, 60.1701)


def test_fixes_recorded_off_duty_leave_no_trace() -> None:
    """A backlog is judged by the duty of its own time, whenever it comes; what is around it is kept."""
    live = live_trip()
    live.trip.change_duty(DutyTimes().change("off", NOW + second(10)).change("on", NOW + second(20)))
    batch = receive(live, "source", *(fix(n) for n in range(0, 31, 5)), at=31)
    assert [one.fix for one in batch.fixes] == [fix(n) for n in (0, 5, 20, 25, 30)]
    assert batch.discarded == 2
    assert live.verdicts.first(NOW + second(10)) is None
    again = receive(live, "source", fix(10), fix(11), at=32)
    assert (again.fixes, again.discarded, live.trip.position) == ([], 2, fix(30))


def test_off_duty_counts_by_the_corrected_clock() -> None:
    """A phone whose clock is an hour ahead: its fixes of the working time are kept, the others are not."""
    live = live_trip()
    for n in range(5):
        receive(live, "source", fix(3_600 + n), at=n)
    live.trip.change_duty(DutyTimes().change("off", NOW + second(10)))
    batch = receive(live, "source", fix(3_608), fix(3_609), fix(3_611), fix(3_612), at=12)
    assert (len(batch.fixes), batch.discarded) == (2, 2)
