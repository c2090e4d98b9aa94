"""Verdicts on fixes in any order of arrival, and changes of verdicts."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.geo import distance
from tracker.domain.order import Vehicle
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.tracks.track import WINDOW, Track

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAR = 0.126  # degrees of latitude: 14 km
HOUR = 3_600.0


def fix(seconds: float = 0.0, lat: float = 60.17, lon: float = 24.94, **more: float) -> Fix:
    return Fix(NOW + timedelta(seconds=seconds), lat, lon, **more)


def drive(seconds: Iterable[float], **more: float) -> list[Fix]:
    """Return fixes along a meridian at 10 m/s."""
    return [fix(each, lat=60.17 + each * 9e-5, **more) for each in seconds]


def elsewhere(seconds: Iterable[float], **more: float) -> list[Fix]:
    """Return fixes 14 km off that hardly move."""
    return [fix(each, lat=60.17 + FAR + each * 1e-6, **more) for each in seconds]


def covers(track: Track, seconds: float) -> bool:
    one = fix(seconds)
    return track.covers(JudgedFix(one, one.recorded_at, NOW))


class Ride:
    """A track with all its fixes."""

    def __init__(self, *fixes: Fix, vehicle: Vehicle = "car") -> None:
        self.track = Track(vehicle)
        self.judged: list[JudgedFix] = []
        self.add(*fixes)

    def add(self, *fixes: Fix) -> list[str | None]:
        """Return the verdicts after all fixes are judged."""
        added = [JudgedFix(each, each.recorded_at, NOW) for each in fixes]
        for each in added:
            self.track.judge(each)
        self.judged += added
        return [each.doubt for each in added]

    @property
    def believed(self) -> set[Fix]:
        return {each.fix for each in self.judged if each.doubt is None}

    @property
    def metres(self) -> float:
        places = [each.lonlat for each in sorted(self.believed, key=lambda each: each.recorded_at)]
        return sum(distance(a, b) for a, b in pairwise(places))


def test_the_newest_believed_fix_moves_only_forward() -> None:
    """A late fix fills history and never moves the marker back."""
    ride = Ride(fix(10.0))
    assert ride.add(fix(5.0, lat=60.171)) == [None]
    assert ride.track.newest == fix(10.0)


def test_an_inaccurate_fix_is_doubted_and_moves_nothing() -> None:
    """A fix worse than 200 m is stored with its doubt."""
    ride = Ride(fix(0.0))
    assert ride.add(fix(1.0, accuracy=201.0)) == ["inaccurate"]
    assert ride.track.newest == fix(0.0)


def test_a_teleport_needs_two_signs() -> None:
    """A move too fast for the vehicle is believed if the device reports that speed."""
    ride = Ride(fix(0.0, accuracy=5.0), vehicle="bicycle")
    assert ride.add(fix(1.0, lat=60.18, accuracy=5.0, speed=5.0)) == ["teleport"]
    flying = Ride(fix(0.0, accuracy=5.0), vehicle="bicycle")
    assert flying.add(fix(10.0, lat=60.173, accuracy=5.0, speed=30.0)) == [None]


def test_three_consistent_doubtful_fixes_re_seat_the_marker() -> None:
    """The marker follows a driver who is elsewhere with the third fix, not earlier."""
    ride = Ride(*drive(range(-300, 1)))
    for expected in (drive([0])[0], drive([0])[0], elsewhere([3])[0]):
        ride.add(*elsewhere([1.0 + len(ride.judged) - 301]))
        assert ride.track.newest == expected
    assert ride.believed == {each.fix for each in ride.judged}  # both groups are large or live


def test_inconsistent_doubtful_fixes_never_re_seat_it() -> None:
    """Three fixes that contradict each other are noise."""
    ride = Ride(fix(0.0, accuracy=5.0))
    noise = [fix(1.0, lat=61.0), fix(2.0, lat=59.0), fix(3.0, lat=62.0), fix(4.0, lat=58.0)]
    assert set(ride.add(*noise)) == {"teleport"}


def test_the_median_interval_is_of_the_last_ten() -> None:
    """A long pause does not make a driver look slow to report."""
    assert Ride(*map(fix, (0.0, 5.0, 10.0, 70.0, 75.0))).track.median_interval == 5.0


# --- late fixes


@pytest.mark.parametrize("count", [20, 300])
@pytest.mark.parametrize("is_reversed", [False, True], ids=["oldest first", "newest first"])
def test_a_backlog_behind_the_newest_fix_is_judged_by_its_neighbours(count: int, is_reversed: bool) -> None:
    """One fix 296 km off is doubted at any index; the others are believed, and the marker stays."""
    way = drive(range(count))
    for place in (0, 1, count // 2, count - 2):
        backlog = way[:-1]
        backlog[place] = fix(float(place), lat=62.83, accuracy=5.0)
        ride = Ride(way[-1])
        ride.add(*(reversed(backlog) if is_reversed else backlog))
        assert [each.fix for each in ride.judged if each.doubt] == [backlog[place]]
        assert ride.track.newest == way[-1]


def test_a_newest_fix_that_is_false_is_found_out_by_the_backlog() -> None:
    """The marker stays until the next true fix and follows it."""
    false = elsewhere([300])[0]
    ride = Ride(false)
    ride.add(*drive(range(0, 300, 5)))
    assert ride.believed == set(drive(range(0, 300, 5)))
    assert ride.track.newest == false
    ride.add(*drive([305]))
    assert ride.track.newest == drive([305])[0]


def test_a_stale_first_fix_is_found_out_by_neighbours_that_come_late() -> None:
    """The newest fix fits both; the backlog between them decides."""
    stale, newest = elsewhere([0])[0], drive([300])[0]
    ride = Ride(newest, stale)
    assert ride.believed == {newest, stale}
    ride.add(*drive(range(5, 300, 5)))
    assert ride.believed == {newest, *drive(range(5, 300, 5))}
    assert ride.track.newest == newest


def test_what_is_older_than_the_memory_is_judged_by_what_is_recalled() -> None:
    """`covers` asks the caller to load the neighbours, once for a backlog."""
    ride = Ride(*drive(range(1_000, 1_000 + 2 * WINDOW)))
    late = drive(range(505, 590, 5))
    assert covers(ride.track, 1_100)
    assert not covers(ride.track, 505)
    known = [JudgedFix(each, each.recorded_at, NOW, judged=True) for each in (*drive([500, 600]),)]
    ride.track.recall(known, NOW, NOW + timedelta(seconds=610))
    false = elsewhere([551])[0]
    assert ride.add(*late[:10], false, *late[10:]) == [None] * 10 + ["teleport"] + [None] * 7
    ride.track.trim_past(late[-1].recorded_at)
    assert covers(ride.track, 595)
    assert ride.add(elsewhere([595])[0]) == ["teleport"]


# --- judging again


@pytest.mark.parametrize("false", range(1, 10))
def test_false_first_fixes_are_doubted_when_more_contradict_them(false: int) -> None:
    """After a few stale fixes 14 km off, the track holds all ten true ones and is short."""
    stale = elsewhere(range(-false, 0), accuracy=5.0)
    true = drive(range(10), accuracy=5.0)
    ride = Ride(*stale, *true)
    assert ride.believed == set(true)
    assert ride.metres < 200.0
    assert ride.track.newest == true[-1]


def test_what_was_judged_again_is_told_once() -> None:
    """The false first fix, and the two true ones that it put in doubt."""
    ride = Ride(*elsewhere([-1]), *drive([0, 1, 2]))
    told = {judged.fix: judged.doubt for judged in ride.track.take_rejudged()}
    assert told == {elsewhere([-1])[0]: "teleport"} | dict.fromkeys(drive([0, 1, 2]))
    assert ride.track.take_rejudged() == []


@pytest.mark.parametrize("pace", [1, 5, 30, 60, 100])
def test_a_stale_first_fix_is_found_out_at_any_pace(pace: int) -> None:
    """Even if the third true fix is within reach of it."""
    true = [fix(pace * n, lat=60.17 + n * 1e-5) for n in range(1, 11)]
    ride = Ride(fix(0.0, lat=60.17 + FAR), *true)
    assert ride.believed == set(true)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 20])
def test_false_clusters_on_the_way_leave_no_trace(size: int) -> None:
    """A group between two jumps is doubted once the driver is back, twice on one trip."""
    ride = Ride(*drive(range(60)), *elsewhere(range(60, 60 + size)))
    ride.add(*drive(range(60 + size, 120 + size)))
    ride.add(*(fix(120 + size + n, lat=59.9) for n in range(size)))
    ride.add(*drive(range(120 + 2 * size, 180 + 2 * size)))
    assert ride.metres == pytest.approx(
        distance(drive([0])[0].lonlat, drive([179 + 2 * size])[0].lonlat), rel=0.01
    )
    assert sum(judged.doubt is not None for judged in ride.judged) == 2 * size


@pytest.mark.parametrize("size", range(1, 10))
def test_false_fixes_after_a_pause_are_found_out(size: int) -> None:
    """After hours any place is plausible; the next fixes fit those before the pause."""
    before, false = drive(range(60)), elsewhere(3 * HOUR + n for n in range(size))
    after = [fix(3 * HOUR + size + n, lat=before[-1].lat + n * 9e-5) for n in range(12)]
    ride = Ride(*before, *false, *after)
    assert ride.believed == {*before, *after}


def test_a_move_while_the_phone_was_off_is_believed() -> None:
    """Also with two false fixes at the old place after it."""
    before, after = drive(range(60)), elsewhere(3 * HOUR + 5 * n for n in range(20))
    ride = Ride(*before, *after[:5], *drive([3 * HOUR + 21, 3 * HOUR + 22]), *after[5:])
    assert ride.believed == {*before, *after}


def test_two_long_groups_are_both_believed() -> None:
    """A courier on foot takes the metro: neither side of the jump is a mistake."""
    before = [fix(n, lat=60.17 + n * 1e-5) for n in range(60)]
    after = [fix(200 + n, lat=60.17 + 0.045 + n * 1e-5) for n in range(60)]
    in_order, late = (
        Ride(*before, *after, vehicle="foot"),
        Ride(after[-1], *before, *after[:-1], vehicle="foot"),
    )
    assert in_order.believed == {*before, *after} == late.believed


def test_two_devices_at_two_places_do_not_change_verdicts_for_ever() -> None:
    """Of two alternating devices one is believed."""
    ride = Ride()
    for n in range(100):
        ride.add(*drive([2 * n]), *elsewhere([2 * n + 1]))
    assert ride.believed == set(drive(range(0, 200, 2)))
    assert ride.track.take_rejudged() == []


def test_fixes_of_one_time() -> None:
    """Two fixes with equal corrected times are believed if near, doubted if far apart."""
    ride = Ride(*drive(range(5)))
    for sent, lat, doubt in ((3.2, 60.1704, None), (3.4, 61.0, "teleport")):
        judged = JudgedFix(fix(3.0, lat=lat), NOW + timedelta(seconds=sent), NOW)
        ride.track.judge(judged)
        assert judged.doubt == doubt
    assert ride.track.newest == drive([4])[0]


def test_a_late_duplicate_has_the_verdict_of_the_first() -> None:
    """Whatever its values, and however often it arrives."""
    ride = Ride(*drive(range(5)), *elsewhere([5]), *drive(range(6, 10)))
    for _ in range(5):
        assert ride.add(*elsewhere([5]), *drive([5])) == ["teleport", "teleport"]
        assert ride.add(*elsewhere([7])) == [None]
    assert ride.track.take_rejudged() == []


def test_a_track_goes_on_from_what_is_stored() -> None:
    """A false newest fix from before a restart is detected like any other."""
    false = elsewhere([0])[0]
    stored = [JudgedFix(each, each.recorded_at, NOW, judged=True) for each in (*drive(range(-50, 0)), false)]
    ride = Ride()
    ride.track = Track("car", stored)
    ride.add(*drive(range(1, 4)))
    assert ride.believed == set(drive(range(1, 4)))
    assert [judged.doubt for judged in stored] == [None] * 50 + ["teleport"]


def test_a_jump_of_before_a_restart_is_weighed_on() -> None:
    """Three false first fixes against three true ones are undecided; the fourth comes after a restart."""
    stale, true = elsewhere(range(-3, 0)), drive(range(4))
    ride = Ride(*stale, *true[:3])
    assert ride.believed == {*stale, *true[:3]}
    ride.track = Track("car", ride.judged)
    ride.add(true[3])
    assert ride.believed == set(true)


# --- properties


def trip(seed: int, pace: int) -> list[Fix]:
    """Ten minutes with turns and halts, and the noise of a receiver."""
    random, lat, lon, fixes = Random(seed), 60.17, 24.94, []
    for n in range(600 // pace):
        speed = random.choice([0.0, 5.0, 10.0, 14.0]) * pace
        lat, lon = lat + random.uniform(-1, 1) * speed * 9e-6, lon + random.uniform(-1, 1) * speed * 18e-6
        noise = random.gauss(0, 4) * 9e-6
        fixes.append(
            fix(n * pace, lat=lat + noise, lon=lon + 2 * noise, accuracy=random.choice([5.0, 12.0, 30.0]))
        )
    return fixes


seeds, paces = st.integers(0, 10_000), st.sampled_from([1, 3, 5, 10])


@given(seeds, paces, st.floats(0.0, 1.0), st.sampled_from([3e-2, 0.1, 1.0, -2.0]))
@settings(max_examples=60)
def test_the_verdicts_do_not_depend_on_the_order(seed: int, pace: int, where: float, off: float) -> None:
    """In every order, the one outlier is doubted, and nothing else."""
    fixes = trip(seed, pace)
    place = min(int(where * len(fixes)), len(fixes) - 4)
    true = fixes[place]
    fixes[place] = outlier = fix(place * pace, lat=true.lat + off, lon=true.lon, accuracy=5.0)
    mixed = Random(seed).sample(fixes, len(fixes))
    for arrival in (fixes, [fixes[-1], *fixes[:-1]], fixes[::-1], mixed):
        assert [each.fix for each in Ride(*arrival).judged if each.doubt] == [outlier]


@given(seeds, paces)
@settings(max_examples=30)
def test_true_trips_are_believed_in_any_order(seed: int, pace: int) -> None:
    """No possible move of a car is doubted."""
    fixes = trip(seed, pace)
    mixed = Random(seed).sample(fixes, len(fixes))
    for arrival in (fixes, [fixes[-1], *fixes[:-1]], fixes[::-1], mixed):
        assert len(Ride(*arrival).believed) == len(fixes)


places = st.builds(
    fix,
    st.integers(0, 400).map(float),
    st.sampled_from([60.17, 60.1701, 60.25, 61.0]),
    accuracy=st.sampled_from([5.0, 50.0, 500.0]),
)


@given(st.lists(places, max_size=120))
@settings(max_examples=100)
def test_whatever_comes_the_marker_only_goes_forward(fixes: Sequence[Fix]) -> None:
    """Each fix has one verdict, and every change of it is reported."""
    ride, shown = Ride(), []
    first: dict[int, str | None] = {}
    for each in fixes:
        ride.add(each)
        first[id(ride.judged[-1])] = ride.judged[-1].doubt
        for judged in ride.track.take_rejudged():
            first[id(judged)] = judged.doubt
        if ride.track.newest is not None:
            shown.append(ride.track.newest.recorded_at)
    assert shown == sorted(shown)
    assert first == {id(judged): judged.doubt for judged in ride.judged}
    assert all(judged.judged for judged in ride.judged)
