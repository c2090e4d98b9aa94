"""Formats of phone apps: the requests in which they send fixes, and what their answers say. Pure."""

from collections.abc import Callable, Sequence
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec

from tracker.domain.tracks.fix import Fix
from tracker.messages import FIXES_PER_MESSAGE, Ack, Fixes

AppProtocol = Literal["http", "osmand", "owntracks", "overland"]
"""Protocols over HTTP; `http` is the service's own."""

KMH_PER_M_S: Final = 3.6
OVERLAND_BATCH: Final = 200  # fixes, as the app sends by default
JSON: Final = {"Content-Type": "application/json"}


class AppRequest(msgspec.Struct, frozen=True):
    """One HTTP request, without the service's address."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class AppFormat(msgspec.Struct, frozen=True):
    """How an app sends fixes, and how it reads an answer with status 200."""

    batch: int
    """Most fixes in one request."""
    whole_seconds: bool
    """Whether the app's times are whole seconds."""
    request: Callable[[str, Sequence[Fix]], AppRequest]
    """Builds the request with a driver's token."""
    read: Callable[[bytes, int], Ack | None]
    """Reads the answer to this many fixes. None: the app would send them again."""


def owntracks_message(fix: Fix) -> dict[str, object]:
    """Return OwnTracks' `location`, whose speed is in whole km/h."""
    message: dict[str, object] = {
        "_type": "location",
        "lat": fix.lat,
        "lon": fix.lon,
        "tst": round(fix.recorded_at.timestamp()),
        "tid": "ds",
        "t": "t",
        "conn": "m",
    }
    if fix.accuracy is not None:
        message["acc"] = round(fix.accuracy)
    if fix.speed is not None and fix.heading is not None:
        message |= {"vel": int(fix.speed * KMH_PER_M_S), "cog": round(fix.heading)}
    if fix.battery is not None:
        message |= {"batt": round(fix.battery * 100), "bs": 1}
    return message


def _http(token: str, fixes: Sequence[Fix]) -> AppRequest:
    return AppRequest("POST", "/v1/drivers/fixes", _bearer(token) | JSON, _json(Fixes(1, list(fixes))))


def _osmand(token: str, fixes: Sequence[Fix]) -> AppRequest:
    """OsmAnd: everything in the query string, with milliseconds and m/s."""
    [fix] = fixes
    values = {
        "lat": fix.lat,
        "lon": fix.lon,
        "timestamp": round(fix.recorded_at.timestamp() * 1000),
        "accuracy": fix.accuracy,
        "altitude": fix.altitude,
        "speed": fix.speed,
        "bearing": fix.heading,
    }
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return AppRequest("GET", f"/ingest/osmand/{token}?{query}&speed_unit=mps", {})


def _owntracks(token: str, fixes: Sequence[Fix]) -> AppRequest:
    [fix] = fixes
    return AppRequest("POST", "/ingest/owntracks", _bearer(token) | JSON, _json(owntracks_message(fix)))


def _overland(token: str, fixes: Sequence[Fix]) -> AppRequest:
    batch = {"locations": [_feature(fix) for fix in fixes]}
    return AppRequest("POST", "/ingest/overland", _bearer(token) | JSON, _json(batch))


def _feature(fix: Fix) -> dict[str, object]:
    properties = {
        "timestamp": f"{fix.recorded_at:%Y-%m-%dT%H:%M:%SZ}",
        "speed": -1 if fix.speed is None else round(fix.speed),
        "course": -1 if fix.heading is None else round(fix.heading) % 360,
        "horizontal_accuracy": -1 if fix.accuracy is None else round(fix.accuracy),
        "battery_level": -1 if fix.battery is None else fix.battery,
        "motion": [],
    }
    point = {"type": "Point", "coordinates": [fix.lon, fix.lat]}
    return {"type": "Feature", "geometry": point, "properties": properties}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _read_ack(body: bytes, _count: int) -> Ack | None:
    return msgspec.json.decode(body, type=Ack)


def _any_success(_body: bytes, count: int) -> Ack | None:
    """The app takes any 2xx for success, and does not learn of duplicates."""
    return Ack(None, count, 0, [])


def _read_overland(body: bytes, count: int) -> Ack | None:
    is_stored = msgspec.json.decode(body, type=dict[str, object]).get("result") == "ok"
    return Ack(None, count, 0, []) if is_stored else None


FORMATS: Final[dict[AppProtocol, AppFormat]] = {
    "http": AppFormat(FIXES_PER_MESSAGE, False, _http, _read_ack),
    "osmand": AppFormat(1, False, _osmand, _any_success),
    "owntracks": AppFormat(1, True, _owntracks, _any_success),
    "overland": AppFormat(OVERLAND_BATCH, True, _overland, _read_overland),
}
