"""One verdict: however often a fix comes or is recorded, what was judged first stands."""

from datetime import UTC, datetime, timedelta

from tracker.domain.order import Driver
from tracker.domain.tracks import verdict_memory
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.trip import Trip
from tracker.live.drivers.trip import JudgedBatch, LiveTrip, Recalled

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


def second(n: float) -> timedelta:
    return timedelta(seconds=n)


def fix(at: float, lat: float = 60.17, **more: float) -> Fix:
    return Fix(NOW + second(at), lat, 24.94, **more)


def live_trip() -> LiveTrip:
    return LiveTrip(Trip(Driver(id="drv_a", number=1, name="A", vehicle="car", created_at=NOW)))


def receive(live: LiveTrip, *fixes: Fix, at: float = 100.0) -> JudgedBatch:
    return live.receive_fixes(fixes, now=NOW + second(at), retention=MONTH)


def doubts(batch: JudgedBatch) -> list[str | None]:
    return [judged.doubt for judged in batch.fixes]


def test_a_message_sent_again_before_it_is_stored_keeps_its_verdicts() -> None:
    """A teleport and the way back: the second time nothing is judged, and the marker stands."""
    live = live_trip()
    receive(live, fix(0))
    message = fix(1, lat=61.0), fix(2)
    first, again = receive(live, *message), receive(live, *message)
    assert doubts(first) == doubts(again) == ["teleport", None]
    assert live.trip.position == fix(2)


def test_a_doubted_fix_sent_again_after_it_was_stored_stays_doubted() -> None:
    """Also if it is the newest of all and comes with other content; it never becomes one of three."""
    live = live_trip()
    live.verdicts.stored(receive(live, fix(0), fix(1, accuracy=900.0), fix(2, lat=61.0)).fixes)
    for _ in range(5):
        again = receive(live, fix(1, accuracy=5.0), fix(2, lat=60.17))
        assert (again.fixes, again.duplicates) == ([], 2)
        assert live.trip.position == fix(0)


def test_the_first_content_of_an_unstored_fix_counts() -> None:
    """Another place under the same key is a duplicate, whether or not the first one is stored yet."""
    live = live_trip()
    receive(live, fix(0))
    again = receive(live, fix(0, lat=60.1701, speed=9.0), fix(0, lat=60.2))
    assert [judged.fix for judged in again.fixes] == [fix(0), fix(0)]
    assert live.trip.position == fix(0)


def test_the_correction_of_the_clock_is_part_of_the_verdict() -> None:
    """What was found out about the clock meanwhile moves no fix that was judged before."""
    live = live_trip()
    first = receive(live, fix(130), at=100.0).fixes[0]
    for at in (101, 102, 103, 104):
        receive(live, fix(at + 3_600), at=at)
    assert live.clock.ahead > second(3_500)
    again = receive(live, fix(130), at=105.0).fixes[0]
    assert (
        (again.at, again.received_at)
        == (NOW + second(100), NOW + second(100))
        == (first.at, first.received_at)
    )


def test_a_repeated_message_says_nothing_about_the_clock() -> None:
    """Three times the same time of the near future is one sample."""
    live = live_trip()
    for n in range(6):
        receive(live, fix(140), at=100 + n / 5)
    assert live.clock.ahead == second(0)


def test_a_retry_records_what_was_judged_again_meanwhile() -> None:
    """The batch and the track share the verdict, so that no later recording brings the old one back."""
    live = live_trip()
    stale = receive(live, fix(0, lat=60.3))
    true = receive(live, fix(1), fix(2))
    last = receive(live, fix(3))
    assert (doubts(stale), doubts(true), doubts(last)) == (["teleport"], [None, None], [None])
    assert last.rejudged == [*stale.fixes, *true.fixes]
    assert all(judged.rejudged for judged in last.rejudged)


def test_late_fixes_wait_for_their_neighbours() -> None:
    """What is older than the memory is judged once the stored fixes around it are there, and by them."""
    live = live_trip()
    receive(live, *(fix(n) for n in range(1_000, 1_100)), at=1_100)
    batch = receive(live, fix(10), fix(11, lat=63.0), fix(1_101), at=1_101)
    assert [judged.judged for judged in batch.fixes] == [False, False, True]
    assert batch.unknown == batch.fixes[:2]
    known = [JudgedFix(fix(n), NOW + second(n), NOW, judged=True) for n in (0, 20)]
    live.judge_late(batch, Recalled(known, (NOW, NOW + second(20))), NOW + second(1_101))
    assert doubts(batch) == [None, "teleport", None]
    next_one = receive(live, fix(12), at=1_102)
    assert live.trip.track.covers(next_one.unknown[0])
    live.judge_late(next_one, None, NOW + second(1_102))
    assert doubts(next_one) == [None]
    assert live.trip.position == fix(1_101)


def test_late_duplicates_keep_the_stored_verdict() -> None:
    """However often a doubted fix of long ago comes again, it is one fix, and none that agree with it."""
    live = live_trip()
    live.verdicts.stored(receive(live, *(fix(n) for n in range(1_000, 1_300)), at=1_300).fixes)
    stored = [JudgedFix(fix(n), NOW + second(n), NOW, judged=True) for n in (0, 20)]
    stored.append(JudgedFix(fix(10, lat=63.0), NOW + second(10), NOW, "teleport", judged=True))
    for number in range(5):
        batch = receive(live, fix(10, lat=63.0 if number else 60.17), at=1_301)
        if batch.unknown:
            live.judge_late(batch, Recalled(stored, (NOW, NOW + second(20))), NOW + second(1_301))
        live.verdicts.stored(batch.fixes)
        live.verdicts.stored(receive(live, *(fix(n) for n in range(1_000, 1_300)), at=1_302).fixes)
        assert doubts(batch) == ["teleport"]
        assert batch.rejudged == []


def test_late_fixes_that_are_stored_are_dropped() -> None:
    """They count as duplicates, are not remembered and move nothing; the others are kept to be judged."""
    live = live_trip()
    live.verdicts.stored(receive(live, *(fix(n) for n in range(1_000, 1_100)), at=1_100).fixes)
    batch = receive(live, fix(10), fix(11), fix(12), fix(1_101), at=1_101)
    live.drop_stored(batch, {NOW + second(10), NOW + second(12), NOW + second(1_101)})
    assert [judged.fix for judged in batch.fixes] == [fix(11), fix(1_101)]
    assert (batch.duplicates, batch.unknown) == (2, batch.fixes[:1])
    assert set(live.verdicts.unstored()) == set(batch.fixes)


def test_a_stored_fix_whose_verdict_changes_is_recorded_again() -> None:
    """The commit of the new verdict may have failed, so that a resend has to bring it."""
    live = live_trip()
    stale = receive(live, fix(0, lat=60.3))
    live.verdicts.stored(stale.fixes)
    assert receive(live, fix(0)).duplicates == 1
    receive(live, fix(1), fix(2), fix(3))
    again = receive(live, fix(0))
    assert (doubts(again), again.duplicates) == (["teleport"], 0)


def test_what_is_remembered_is_bounded() -> None:
    """The oldest are forgotten first, stored or not."""
    remembered = verdict_memory.VerdictMemory()
    all_of_them = [JudgedFix(fix(n), NOW + second(n), NOW) for n in range(verdict_memory.UNSTORED_KEPT + 10)]
    for judged in all_of_them:
        remembered.remember(judged)
    assert len(remembered.unstored()) == verdict_memory.UNSTORED_KEPT
    remembered.stored(all_of_them)
    assert len(remembered.unstored()) == 0
    known = [remembered.first(judged.sent_at) is judged for judged in all_of_them]
    assert known == [False] * (len(known) - verdict_memory.STORED_KEPT) + [True] * verdict_memory.STORED_KEPT
