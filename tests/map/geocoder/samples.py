"""Addresses of an extract as people write them, for tests and benchmarks of the search."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from tracker.domain.geo import LonLat, distance
from tracker.map.geocoder.finding.index import Index
from tracker.map.geocoder.finding.search import search
from tracker.map.geocoder.making.building import Builder
from tracker.map.geocoder.making.reading import Found, Reader, middle
from tracker.map.geocoder.statements import open_writer
from tracker.system.progress import Percent

SILENT = Percent(lambda _: None, "index")
SHORT = {"Street": "St", "Avenue": "Ave", "West ": "W. ", "katu": "k.", "esplanadi": "espl.", "tie": "t."}


class Sample(NamedTuple):
    """An address: its street, its number, and where the objects of the extract with it are."""

    street: str
    number: str
    city: str
    places: tuple[tuple[int, int], ...]  # latitude and longitude, 1e-7 degrees

    @property
    def middle(self) -> LonLat:
        lat, lon = middle(list(self.places))
        return LonLat(lon / 1e7, lat / 1e7)


def found_in(extract: Path, folder: Path) -> list[Found]:
    return list(Reader(extract, 1, SILENT, folder / "nodes"))


def addresses_of(found: list[Found]) -> list[Sample]:
    """Return the distinct addresses, in a fixed order."""
    places: defaultdict[tuple[str, str], list[Found]] = defaultdict(list)
    for each in found:
        if each.kind == "house" and any(sign.isdecimal() for sign in each.number):
            places[each.name, each.number].append(each)
    return [
        Sample(
            *key, next((one.city for one in same if one.city), ""), tuple((one.lat, one.lon) for one in same)
        )
        for key, same in sorted(places.items())
    ]


def drawn(samples: list[Sample], number: int = 500) -> list[Sample]:
    return Random(20261201).sample(samples, min(number, len(samples)))


def index_without(found: list[Found], removed: list[Sample], path: Path) -> Path:
    """Return an index from which all objects with these addresses are missing."""
    gone = {(each.street, each.number) for each in removed}
    kept = (each for each in found if each.kind != "house" or (each.name, each.number) not in gone)
    connection = open_writer(path)
    builder = Builder(connection, SILENT)
    builder.stage(kept, [])
    builder.write()
    connection.close()
    return path


def plain(sample: Sample, _: Random) -> str:
    city = f", {sample.city}" if sample.city else ""
    return f"{sample.street} {sample.number}{city}"


def abbreviated(sample: Sample, random: Random) -> str:
    text = plain(sample, random)
    for word, short in SHORT.items():
        text = text.replace(word, short)
    return text.lower()


def misspelt(sample: Sample, random: Random) -> str:
    """Lose, double, replace or swap one letter of the longest word of the street."""
    longest = max(sample.street.split(), key=len)
    n = random.randrange(1, len(longest) - 1)
    wrong = random.choice((
        longest[:n] + longest[n + 1 :],
        longest[:n] + longest[n] + longest[n:],
        longest[:n] + random.choice("aeiknst") + longest[n + 1 :],
        longest[:n] + longest[n + 1] + longest[n] + longest[n + 2 :],
    ))  # fmt: skip
    return plain(sample._replace(street=sample.street.replace(longest, wrong, 1)), random)


WAYS_TO_WRITE: Mapping[str, Callable[[Sample, Random], str]] = {
    "plain": plain,
    "abbreviated": abbreviated,
    "misspelt": misspelt,
}


def errors_m(index: Index, samples: list[Sample], write: Callable[[Sample, Random], str]) -> Iterator[float]:
    """Yield the metres from each first result to the address's middle; infinite without a result."""
    random = Random(7)
    for sample in samples:
        hits = search(index, write(sample, random), 1, typing=False)
        yield distance(LonLat(hits[0].lon, hits[0].lat), sample.middle) if hits else float("inf")


def share_within(errors: Iterator[float], metres: float) -> float:
    found = list(errors)
    return sum(error <= metres for error in found) / len(found)
