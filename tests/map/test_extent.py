"""Where a map lies: the bulk of its data, whatever its header or a stray node says."""

from array import array

import pytest

from tracker.map.extent import WORLD, Box, Cells, Extent, extent_of, middle

TOWN = [(5.0 + n * 0.001, 50.0 + n * 0.001) for n in range(40)]
AROUND_TOWN: Box = (5.0, 50.0, 5.039, 50.039)


def extent(places: list[tuple[float, float]], header: Box | None = None) -> Extent:
    cells = Cells()
    half = len(places) // 2
    for some in (places[:half], places[half:]):  # in blocks, as from a file
        lons, lats = zip(*some, strict=True) if some else ((), ())
        cells.count(array("i", (round(e * 1e7) for e in lons)), array("i", (round(e * 1e7) for e in lats)))
    return extent_of(cells, header)


@pytest.mark.parametrize(
    ("places", "header", "bounds"),
    [
        (TOWN, None, AROUND_TOWN),
        (TOWN, (4.99, 49.99, 5.05, 50.05), (4.99, 49.99, 5.05, 50.05)),
        (TOWN, (5.01, 50.01, 5.03, 50.03), (5.01, 50.01, 5.03, 50.03)),
        (TOWN, WORLD, AROUND_TOWN),
        (TOWN, (100.0, 10.0, 101.0, 11.0), AROUND_TOWN),
        (TOWN, (-170.0, -60.0, 5.1, 50.1), AROUND_TOWN),
        ([*TOWN, (-170.0, -60.0), (0.0, 0.0), (180.0, 90.0)], None, AROUND_TOWN),
        ([*TOWN, *((lon + 1, lat + 1) for lon, lat in TOWN)], None, (5.0, 50.0, 6.039, 51.039)),
        ([(179.99, -17.0), (-179.99, -17.01)], None, (179.99, -17.01, -179.99, -17.0)),
        ([(179.99, -17.0), (-180.0, -17.01)], None, (179.99, -17.01, 180.0, -17.0)),
        ([(-180.0, -17.0), (-179.99, -17.01)], None, (-180.0, -17.01, -179.99, -17.0)),
        ([(178.0, -17.0), (-178.0, -18.0)], None, (178.0 - 0.0005, -18.0005, -178.0 + 0.0005, -16.9995)),
        ([(5.0, 50.0)], None, (4.9995, 49.9995, 5.0005, 50.0005)),
        ([(5.0, 90.0)], None, (4.9995, 89.9995, 5.0005, 90.0)),
        ([], None, WORLD),
        ([], (4.0, 49.0, 6.0, 51.0), (4.0, 49.0, 6.0, 51.0)),
    ],
    ids=[
        "no header", "a header with room", "ways cut off outside the header", "the world", "elsewhere",
        "around a stray node", "stray nodes", "two towns", "across the antimeridian", "up to it", "from it",
        "islands on both sides", "one node", "a pole", "no node", "no node but a header",
    ],
)  # fmt: skip
def test_bounds_hold_the_bulk(places: list[tuple[float, float]], header: Box | None, bounds: Box) -> None:
    """The header's box where it fits the data; else the box around the data that belongs together."""
    assert extent(places, header).bounds == pytest.approx(bounds)


def test_regions_are_around_each_cluster() -> None:
    """Small ones too: each may have a coast of its own."""
    regions = extent([*TOWN, (-170.0, -60.0)]).regions
    assert len(regions) == 2
    assert regions[0] == pytest.approx(AROUND_TOWN)
    assert regions[1][0] == pytest.approx(-170.0005)


def test_a_region_that_fills_the_header_reaches_its_edges() -> None:
    """The coast is drawn as far as the extract was cut, which is beyond the last node."""
    header = (4.99, 49.99, 5.05, 50.05)
    assert extent(TOWN, header).regions == (header,)


@pytest.mark.parametrize(
    ("west", "east", "between"),
    [(5, 7, 6), (179, -179, 180), (178, -179, 179.5), (-180, 180, 0), (170, -150, -170)],
)
def test_the_middle_lies_between_west_and_east(west: float, east: float, between: float) -> None:
    """Across the antimeridian it is not on the other side of the world."""
    assert middle(west, east) == pytest.approx(between)
