"""Driving side: what turns cost where people drive on the left, and where they drive on the right."""

from pathlib import Path

import pytest

from tests.nasty_extracts import Nasty, town, write_extract
from tracker.domain.geo import LonLat
from tracker.map.extract import MapExtract
from tracker.routing import Router
from tracker.routing.driving_side import drives_on_the_left

MELBOURNE = (144.96, -37.81)
HELSINKI = (24.94, 60.17)


@pytest.mark.parametrize(
    ("lon", "lat", "left"),
    [
        (*MELBOURNE, True), (*HELSINKI, False), (-74.0, 40.7, False), (-0.1, 51.5, True),
        (-6.26, 53.35, True), (139.7, 35.7, True), (77.2, 28.6, True), (36.8, -1.29, True),
        (14.5, 35.9, True), (33.36, 35.17, True), (114.17, 22.3, True), (114.1, 22.55, False),
        (-58.15, 6.8, True), (178.44, -18.14, True), (100.5, 13.75, True), (105.8, 21.0, False),
        (-171.77, -13.83, True), (-64.93, 18.34, True),
    ],
)  # fmt: skip
def test_the_side_is_that_of_the_country(lon: float, lat: float, left: bool) -> None:
    """Also beside a border, and where a country keeps its neighbour's time."""
    assert drives_on_the_left(lon, lat) == left


@pytest.mark.parametrize(("at", "left"), [(MELBOURNE, True), (HELSINKI, False)])
async def test_turns_across_the_traffic_cost_more(
    at: tuple[float, float], left: bool, tmp_path: Path
) -> None:
    """A right turn where people drive on the left, a left turn where they drive on the right."""
    extract = write_extract(tmp_path / "map.osm.pbf", Nasty(town(at)))
    lon, lat = at
    begin = LonLat(lon + 0.002, lat + 0.0005)  # northwards, to the next crossing
    async with Router.open(MapExtract(extract, tmp_path / "made"), lambda _: None) as router:
        (west,) = await router.route([begin, LonLat(lon + 0.0015, lat + 0.001)], "car", heading=0)
        (east,) = await router.route([begin, LonLat(lon + 0.0025, lat + 0.001)], "car", heading=0)
    assert west.distance_m == pytest.approx(east.distance_m, rel=0.02)
    assert (west.duration_s < east.duration_s) == left
    assert abs(west.duration_s - east.duration_s) > 1
