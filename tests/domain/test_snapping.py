"""Snapping of the marker to the street, if the match is certain."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tracker.domain.geo import LonLat
from tracker.domain.route import Progress
from tracker.domain.snapping import SnappedFix, snap_to_street
from tracker.domain.tracks.fix import Fix

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ON_THE_LINE = LonLat(24.9450, 60.1700)
FIX = Fix(NOW, 60.17005, 24.9450, accuracy=8.0, speed=7.0, heading=85.0)
PROGRESS = Progress(120.0, 5.6, *ON_THE_LINE, 90.0, 12.0)


def test_a_sure_match_is_shown_on_the_street() -> None:
    """A fix near the street that heads along it gets the street's place and heading."""
    found = snap_to_street(FIX, PROGRESS, None)
    assert found.sure
    assert (found.fix.lonlat, found.fix.heading) == (ON_THE_LINE, 90.0)
    assert (found.fix.recorded_at, found.fix.accuracy, found.fix.speed) == (NOW, 8.0, 7.0)


@pytest.mark.parametrize(
    ("fix", "progress"),
    [
        (FIX, None),
        (FIX, msgspec.structs.replace(PROGRESS, offset_m=9.0)),
        (msgspec.structs.replace(FIX, accuracy=40.0), msgspec.structs.replace(PROGRESS, offset_m=25.0)),
        (msgspec.structs.replace(FIX, accuracy=None), PROGRESS),
        (msgspec.structs.replace(FIX, heading=None), PROGRESS),
        (msgspec.structs.replace(FIX, heading=270.0), PROGRESS),
        (msgspec.structs.replace(FIX, heading=130.0), PROGRESS),
    ],
    ids=["no route", "too far", "far, though inaccurate", "accuracy", "no heading", "back", "turning off"],
)
def test_an_unsure_match_is_shown_as_measured(fix: Fix, progress: Progress | None) -> None:
    """The fix stays unchanged, whatever the previous match was."""
    assert snap_to_street(fix, progress, None) == SnappedFix(fix)
    assert snap_to_street(fix, progress, SnappedFix(FIX, sure=True)) == SnappedFix(fix)


def test_who_stands_stays_on_the_street_they_came_along() -> None:
    """At a light the heading is meaningless; a driver off the street is not snapped to it."""
    standing = msgspec.structs.replace(FIX, speed=0.1, heading=301.0, recorded_at=NOW + timedelta(seconds=5))
    assert snap_to_street(standing, PROGRESS, SnappedFix(FIX, sure=True)).fix.lonlat == ON_THE_LINE
    assert snap_to_street(standing, PROGRESS, SnappedFix(FIX)) == SnappedFix(standing)
    assert snap_to_street(standing, PROGRESS, None) == SnappedFix(standing)
    beside = msgspec.structs.replace(PROGRESS, offset_m=15.0)
    assert snap_to_street(standing, beside, SnappedFix(FIX, sure=True)) == SnappedFix(standing)


def test_headings_agree_across_north() -> None:
    """359 and 1 degrees differ by two."""
    north = msgspec.structs.replace(PROGRESS, heading=359.0)
    assert snap_to_street(msgspec.structs.replace(FIX, heading=1.0), north, None).sure
