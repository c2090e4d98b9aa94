"""Search in an index of a real extract: what people write leads to the house."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.map.geocoder.indexes import built, helsinki
from tracker.map.geocoder.finding.index import Index
from tracker.map.geocoder.finding.search import Hit, search

EXTRACTS = Path(__file__).parents[2] / "extracts"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(built(helsinki(), tmp_path_factory.mktemp("helsinki"))) as index:
        yield index


@pytest.fixture(scope="module")
def nyc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(built(EXTRACTS / "nyc.osm.pbf", tmp_path_factory.mktemp("nyc"))) as index:
        yield index


def best(index: Index, text: str, *, typing: bool = False) -> Hit:
    return search(index, text, 5, typing=typing)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Kasarmikatu 36",
        "kasarmikatu 36, 00130 Helsinki",
        "00130 HELSINKI, 36 Kasarmikatu",
        "Kasarmik. 36",
        "Kasarmikatu 36 B 12",
        "Kasarmikatu 36, 3. krs",
        "Kasarminkatu 36",
        "kasamrikatu 36 helsnki",
        "Kasarmi katu 36",
        "Kaserngatan 36",
    ],
)
def test_a_house_is_found_however_it_is_written(demo: Index, text: str) -> None:
    """Order, postcode, abbreviation, staircase, errors, a space too many, the other language."""
    hit = best(demo, text)
    assert hit.address.startswith("Kasarmikatu 36,")
    assert hit.precision == "house"
    assert hit.lat == pytest.approx(60.1651, abs=2e-4)
    assert hit.lon == pytest.approx(24.9476, abs=4e-4)


@pytest.mark.parametrize(
    "text",
    [
        "225 West 13th Street",
        "225 w 13 st",
        "West 13th St. 225, New York, NY 10011",
        "apt 4, 225 W. 13th Street, New York",
        "225 wset 13th street",
    ],
)
def test_english_addresses(nyc: Index, text: str) -> None:
    """Number first, directions and ordinal numbers shortened, a flat before it."""
    assert best(nyc, text).address == "225 West 13th Street, New York 10011"


def test_a_word_that_is_being_typed(demo: Index) -> None:
    """Its beginning finds streets, a beginning with an error too; digits find houses that begin with them."""
    for text in ("Fabian", "fabiani", "Fabiniank"):
        assert best(demo, text, typing=True).address.startswith("Fabianinkatu"), text
    houses = [hit.address.split(",")[0] for hit in search(demo, "Kaivokatu 1", 5, typing=True)]
    assert houses[0] == "Kaivokatu 1"
    assert "Kaivokatu 10" in houses


def test_nonsense_finds_nothing(demo: Index) -> None:
    """No answer rather than a wrong one, and no error for any text."""
    for text in ("qqqq xxxx 12", "!!!", "𝕏", "\u200f", "-", "1", "'", "%_*", "a" * 200, "12 " * 60):
        for hit in search(demo, text, 5, typing=True):
            assert hit.address
    assert search(demo, "qqqqxxxxzzzz", 5, typing=True) == []
