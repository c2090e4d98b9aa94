"""Towns made by hand: what an extract may say about addresses, and where its houses are found."""

from pathlib import Path

from tests.map.geocoder.indexes import Town
from tracker.map.geocoder.finding.index import Index, Near
from tracker.map.geocoder.finding.search import Hit, search

LAT, LON = 50.0, 8.0


def find(path: Path, text: str, near: Near | None = None) -> list[Hit]:
    with Index(path) as index:
        return search(index, text, 10, near, typing=False)


def test_a_missing_number_lies_between_its_neighbours(tmp_path: Path) -> None:
    """On its side of the street; far from both, or beyond the last, only the street is sure."""
    town = Town()
    town.street([(LAT, LON), (LAT, LON + 0.02)], "Long Lane")
    for number, east in ((1, 0.0), (2, 0.0), (5, 0.001), (6, 0.001), (99, 0.02)):
        town.house(LAT + (number % 2 or -1) * 0.0001, LON + east, "Long Lane", str(number))
    path = town.index(tmp_path)
    [three], [four], [fifty], [beyond] = (find(path, f"Long Lane {n}") for n in (3, 4, 51, 201))
    assert (three.lat, three.lon, three.precision) == (LAT + 0.0001, LON + 0.0005, "house")
    assert (four.lat, four.lon, four.precision) == (LAT - 0.0001, LON + 0.0005, "house")
    assert (fifty.precision, beyond.precision) == ("street", "street")
    assert LON + 0.001 < fifty.lon < LON + 0.02
    assert beyond.lon == LON + 0.02


def test_interpolation_ways(tmp_path: Path) -> None:
    """Houses along the line, between the nodes that have numbers."""
    town = Town()
    ends = [town.house(LAT, LON, "Elm Road", "2"), town.node(LAT, LON + 0.004)]
    ends.append(town.house(LAT + 0.004, LON + 0.004, "Elm Road", "18"))
    town.way(ends, addr__interpolation="even")
    path = town.index(tmp_path)
    [corner] = find(path, "10 Elm Road")
    assert (corner.lat, corner.lon, corner.precision) == (LAT, LON + 0.004, "house")
    [four] = find(path, "4 Elm Road")
    assert (four.lat, four.lon) == (LAT, LON + 0.001)


def test_buildings_and_relations_have_their_middle(tmp_path: Path) -> None:
    """A way that is closed, and the outer way of a relation."""
    town = Town()
    for n, number in enumerate(("1", "2")):
        corners = [(LAT + y, LON + n + x) for y, x in ((0, 0), (0, 0.001), (0.001, 0.001), (0.001, 0))]
        nodes = [town.node(*corner) for corner in corners]
        tags = {"building": "yes", "addr__street": "Oak Road", "addr__housenumber": number}
        way = town.way([*nodes, nodes[0]], **({} if n else tags))
        if n:
            town.relation(way, type="multipolygon", **tags)
    path = town.index(tmp_path)
    for n, number in enumerate(("1", "2")):
        hit = find(path, f"Oak Road {number}")[0]
        assert (hit.lat, hit.lon, hit.precision) == (LAT + 0.0005, LON + n + 0.0005, "house")


def test_one_name_in_several_towns(tmp_path: Path) -> None:
    """The town's name, its postcode or the nearest decide; the towns come from their places' nodes."""
    town = Town()
    for n, (name, postcode) in enumerate(
        (("Aachdorf", "11111"), ("Bechheim", "22222"), ("Cestadt", "33333")),
    ):
        east = LON + n * 0.2
        town.node(LAT, east, place="town", name=name)
        town.street([(LAT, east), (LAT, east + 0.002)], "Hauptstraße")
        town.house(LAT, east, "Hauptstraße", "5", addr__postcode=postcode)
    path = town.index(tmp_path)
    assert len(find(path, "Hauptstr. 5")) == 3
    assert find(path, "Hauptstr. 5, Bechheim")[0].address == "Hauptstraße 5, 22222 Bechheim"
    assert find(path, "5 hauptstrasse cestatd")[0].address == "Hauptstraße 5, 33333 Cestadt"
    assert find(path, "11111 Haupt Str 5")[0].address == "Hauptstraße 5, 11111 Aachdorf"
    for n, name in enumerate(("Aachdorf", "Bechheim", "Cestadt")):
        assert name in find(path, "Hauptstraße 5", Near(LAT, LON + n * 0.2))[0].address
    [place] = find(path, "Bechheim")
    assert (place.address, place.precision) == ("Bechheim", "place")


def test_a_village_without_street_names(tmp_path: Path) -> None:
    """Its houses are numbered by `addr:place`."""
    town = Town()
    town.node(LAT, LON, addr__place="Ütenbach", addr__housenumber="17a")
    [hit] = find(town.index(tmp_path), "Uetenbach 17 A")
    assert (hit.address, hit.precision) == ("Ütenbach 17a", "house")


def test_other_scripts(tmp_path: Path) -> None:
    """Japanese blocks, Arabic with vowel signs and without the article, Cyrillic and Greek abbreviations."""
    town = Town()
    town.node(LAT, LON, place="city", name="東京")
    block = {"addr__quarter": "丸の内", "addr__neighbourhood": "一丁目", "addr__block_number": "9"}
    town.node(LAT, LON, addr__housenumber="1", **block)
    town.node(LAT, LON + 0.001, addr__housenumber="2", **block)
    town.house(LAT, LON + 0.5, "شارع المَلِك فهد", "7")
    town.house(LAT, LON + 0.6, "улица Ленина", "12")
    town.house(LAT, LON + 0.7, "Οδός Ερμού", "3")
    path = town.index(tmp_path)
    for text in ("丸の内1丁目9番2号", "東京丸の内一丁目9-2", "丸の内1-9-2"):
        assert find(path, text)[0].lon == LON + 0.001, text
    assert find(path, "丸の内1-9-2")[0].address == "東京丸の内一丁目9-2"
    assert find(path, "شارع الملك فهد 7")[0].lon == LON + 0.5
    assert find(path, "ملك فهد ٧")[0].precision == "house"
    assert find(path, "ул. Ленина 12")[0].lon == LON + 0.6
    assert find(path, "ΕΡΜΟΥ 3")[0].lon == LON + 0.7
