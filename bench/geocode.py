"""Geocoder: the time of a search, and how far its results are from the addresses of the demo area."""

import sqlite3
import tempfile
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter, thread_time

from bench.node import Node
from bench.rows import Row
from tests.map.geocoder.indexes import built, helsinki
from tests.map.geocoder.samples import (
    WAYS_TO_WRITE,
    Sample,
    addresses_of,
    drawn,
    errors_m,
    found_in,
    plain,
    share_within,
)
from tracker.map.geocoder.finding.index import Index
from tracker.map.geocoder.finding.search import search

LIMIT_MS = 20.0
WITHIN = 30.0  # metres
SCAN = "SELECT rowid FROM addresses WHERE text LIKE ? LIMIT 5"


async def measure_geocode(node: Node) -> list[Row]:
    """Search 500 addresses, written in three ways: in this process, and through the service."""
    with tempfile.TemporaryDirectory(prefix="bench-geocode-") as name:
        folder = Path(name)
        every = addresses_of(found_in(helsinki(), folder))
        samples = drawn(every)
        with Index(built(helsinki(), folder)) as index:
            rows = [row for way in WAYS_TO_WRITE for row in _rows(index, samples, every, way)]
    return [*rows, await _through_the_service(node, samples)]


def _rows(index: Index, samples: list[Sample], every: list[Sample], way: str) -> list[Row]:
    random, times = Random(7), []
    for sample in samples:
        text = WAYS_TO_WRITE[way](sample, random)
        begun = thread_time()
        search(index, text, 10, typing=True)
        times.append((thread_time() - begun) * 1e3)
    share = share_within(errors_m(index, samples, WAYS_TO_WRITE[way]), WITHIN)
    scan = f"SQLite LIKE over {len(every)} exact texts: median {_scan_ms(every, samples):.2g} ms"
    detail = f"median {median(times):.1f} ms, worst {max(times):.0f} ms of processor time; {scan}"
    return [
        Row(name=f"search of an address, {way}, 99 %", value=quantiles(times, n=100)[-1], unit="ms",
            against="limit", reference=LIMIT_MS, detail=detail),
        Row(name=f"addresses found within 30 m, {way}", value=100 * share, unit="%", against="limit",
            reference=95.0, better="higher", detail=f"{len(samples)} addresses of the demo area"),
    ]  # fmt: skip


def _scan_ms(every: list[Sample], samples: list[Sample]) -> float:
    """Return the median time of a plain scan, which knows no abbreviation and no error."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE addresses (text)")
    connection.executemany("INSERT INTO addresses VALUES (?)", [(_text(each),) for each in every])
    times = []
    for sample in samples:
        begun = thread_time()
        connection.execute(SCAN, (f"%{_text(sample)}%",)).fetchall()
        times.append((thread_time() - begun) * 1e3)
    return median(times)


def _text(sample: Sample) -> str:
    return plain(sample, Random(0))


async def _through_the_service(node: Node, samples: list[Sample]) -> Row:
    times = []
    for sample in samples:
        begun = perf_counter()
        answer = await node.http.get("/v1/geocode", params={"q": _text(sample)})
        answer.raise_for_status()
        times.append((perf_counter() - begun) * 1e3)
    detail = f"median {median(times):.1f} ms, one request after the other"
    return Row(
        name="GET /v1/geocode, 99 %",
        value=quantiles(times, n=100)[-1],
        unit="ms",
        against="limit",
        reference=LIMIT_MS,
        detail=detail,
    )
