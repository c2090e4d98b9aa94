"""Phone apps: CPU time to parse a fix of each format, and a day of fixes that is sent again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter, thread_time
from typing import Any

import httpx
import msgspec

from bench.node import Job, Node, new_job
from bench.phone_messages import location, measure_messages
from bench.rows import Row
from tracker.phone_apps import osmand, overland, owntracks, traccar

PASSES = 21
FIXES = 1_000  # parsed in each pass
PARSE_LIMIT = 20.0  # microseconds
DAY = 17_000  # fixes
BATCH = 1_000  # fixes in one request of Overland
REFILL_S = 20.0  # after the first sending, until the driver's rate admits a day again
DAY_LIMIT = 10.0  # seconds
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def measure_phones(node: Node) -> list[Row]:
    """Parse in this process; then send a day twice to the service."""
    rows = [_parse_row(name, parse) for name, parse in _parsers().items()]
    job = await new_job(node, seed=21)
    return [*rows, await _measure_day(node, job), *await measure_messages(node, job)]


# --- parsing


def _parsers() -> dict[str, Callable[[], object]]:
    """Return for each format a function that parses FIXES fixes, as the app sends them."""
    seconds = int(BEGIN.timestamp())
    message = msgspec.json.encode(location(BEGIN))
    batch = msgspec.json.encode({"locations": [_feature(BEGIN)] * FIXES})
    form = (
        f"id=tdt_example&lat=60.1702&lon=24.9455&timestamp={seconds}&accuracy=5.0&altitude=12.0"
        "&speed=10.00&bearing=90.0&batt=83&charge=false"
    ).encode()
    query = dict(pair.split("=") for pair in form.decode().split("&"))
    client = msgspec.json.encode(
        {"location": {"timestamp": BEGIN.isoformat(), "coords": _COORDINATES, "battery": {"level": 0.8}}}
    )
    position = {"fixTime": BEGIN.isoformat(), "speed": 10.0, "course": 90.0, "accuracy": 5.0, **_COORDINATES}
    forwarded = msgspec.json.encode({"position": position, "device": {"uniqueId": "350000000000001"}})
    return {
        "OwnTracks": lambda: [owntracks.parse(message) for _ in range(FIXES)],
        "OsmAnd, a query string": lambda: [
            osmand.parse(osmand.fields_of(query, b""), BEGIN) for _ in range(FIXES)
        ],
        "Traccar Client 10, a form": lambda: [
            osmand.parse(osmand.fields_of({}, form), BEGIN) for _ in range(FIXES)
        ],
        "Traccar Client 9, JSON": lambda: [
            osmand.parse(osmand.fields_of({}, client), BEGIN) for _ in range(FIXES)
        ],
        "Overland": lambda: list(overland.parse(batch)),
        "Traccar server": lambda: [traccar.parse_forwarded(forwarded) for _ in range(FIXES)],
    }


_COORDINATES = {"latitude": 60.1702, "longitude": 24.9455, "altitude": 12.0}


def _parse_row(name: str, parse: Callable[[], object]) -> Row:
    return Row(
        name=f"parse a fix of a phone app: {name}",
        value=median(_timed(parse) for _ in range(PASSES)) / FIXES * 1e6,
        unit="µs",
        against="limit",
        reference=PARSE_LIMIT,
        detail=f"CPU time; median of {PASSES} passes over {FIXES:,} fixes",
    )


def _timed(work: Callable[[], object]) -> float:
    started = thread_time()
    work()
    return thread_time() - started


# --- sending


async def _measure_day(node: Node, job: Job) -> Row:
    """Send a day in Overland's batches; once more, after the rate limit has recovered."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=4 * DAY + 60)
    features = [msgspec.json.encode(_feature(begin + timedelta(seconds=4 * n), n)) for n in range(DAY)]
    bodies = [
        b'{"locations":[' + b",".join(features[first : first + BATCH]) + b"]}"
        for first in range(0, DAY, BATCH)
    ]
    first = await _send(node, job, "/ingest/overland", bodies)
    await asyncio.sleep(REFILL_S)
    return Row(
        name=f"a day of {DAY:,} fixes sent again by Overland",
        value=await _send(node, job, "/ingest/overland", bodies),
        unit="s",
        against="limit",
        reference=DAY_LIMIT,
        detail=f"{len(bodies)} batches, one after the other; the first time took {first:.1f} s",
    )


async def _send(node: Node, job: Job, path: str, bodies: list[bytes]) -> float:
    """Return the seconds until every body is answered with 200. Raises RuntimeError for another answer."""
    headers = {"Authorization": f"Bearer {job.driver_token}"}
    started = perf_counter()
    async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=60, trust_env=False) as http:
        for body in bodies:
            response = await http.post(path, content=body)
            if response.status_code != httpx.codes.OK:
                raise RuntimeError(f"POST {path}: {response.status_code} {response.text}")
    return perf_counter() - started


def _feature(at: datetime, number: int = 0) -> dict[str, Any]:
    """Return a position as Overland sends it."""
    properties = {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "altitude": 12, "speed": 4, "course": 90,
        "horizontal_accuracy": 5, "vertical_accuracy": -1, "speed_accuracy": 0.5, "course_accuracy": -1,
        "motion": ["driving", "stationary"], "battery_state": "charging", "battery_level": 0.8, "wifi": "",
        "device_id": "van7", "unique_id": "EF5A0C1E", "trip_id": "2026-01-31T12:00:00Z",
    }  # fmt: skip
    geometry = {"type": "Point", "coordinates": [24.94, 60.17 + number * 1e-6]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}
