"""Which clock holds at a place."""

from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.time_zones import clock_of, time_zone_at


@pytest.mark.parametrize(
    ("lat", "lon", "zone"),
    [
        (60.1713, 24.9440, "Europe/Helsinki"),
        (47.6596, 9.1784, "Europe/Berlin"),  # Konstanz; Kreuzlingen is 2 km off
        (47.6417, 9.1786, "Europe/Zurich"),
        (65.8481, 24.1466, "Europe/Helsinki"),  # Tornio, across the river from Haparanda
        (65.8355, 24.1368, "Europe/Stockholm"),
        (40.7128, -74.0060, "America/New_York"),
        (27.7172, 85.3240, "Asia/Kathmandu"),  # 5 h 45 min
        (-43.9500, -176.5600, "Pacific/Chatham"),
        (0.0, -160.0, "Etc/GMT+11"),
    ],
)
def test_a_place_has_its_time_zone(lat: float, lon: float, zone: str) -> None:
    """On both sides of a border, too, and at sea."""
    assert time_zone_at(lat, lon) == zone


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_every_place_on_earth_has_one_that_exists(lat: float, lon: float) -> None:
    """Poles and the antimeridian as well."""
    zone = time_zone_at(lat, lon)
    assert zone in available_timezones()
    assert clock_of(zone).key == zone


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd"])
def test_an_unknown_name_is_utc(name: str) -> None:
    """What this machine does not know costs nobody the page."""
    assert clock_of(name).key == "UTC"
