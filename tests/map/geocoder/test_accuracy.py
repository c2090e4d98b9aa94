"""Accuracy: of 500 addresses of a real extract, 95 % are found within 30 m."""

from pathlib import Path

import pytest

from tests.map.geocoder.indexes import helsinki
from tests.map.geocoder.samples import (
    WAYS_TO_WRITE,
    addresses_of,
    drawn,
    errors_m,
    found_in,
    index_without,
    plain,
    share_within,
)
from tracker.map.geocoder.finding.index import Index

EXTRACTS = Path(__file__).parents[2] / "extracts"
WITHIN = 30.0  # metres


@pytest.mark.parametrize("extract", [helsinki(), EXTRACTS / "nyc.osm.pbf"], ids=["helsinki", "nyc"])
def test_addresses_of_the_map_are_found(extract: Path, tmp_path: Path) -> None:
    """Also abbreviated, and with an error. An address with several objects is in their middle."""
    found = found_in(extract, tmp_path)
    samples = drawn(addresses_of(found))
    assert len(samples) == 500
    with Index(index_without(found, [], tmp_path / "index")) as index:
        for name, write in WAYS_TO_WRITE.items():
            share = share_within(errors_m(index, samples, write), WITHIN)
            print(f"{extract.name}, {name}: {share:.1%}")
            assert share >= 0.95, name


def test_addresses_that_the_map_lacks_are_placed_by_their_neighbours(tmp_path: Path) -> None:
    """A third of the addresses of New York's extract, removed with all their objects."""
    found = found_in(EXTRACTS / "nyc.osm.pbf", tmp_path)
    removed = drawn(addresses_of(found))
    with Index(index_without(found, removed, tmp_path / "index")) as index:
        share = share_within(errors_m(index, removed, plain), WITHIN)
    print(f"removed: {share:.1%}")
    assert share >= 0.93
