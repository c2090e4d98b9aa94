"""Phone apps: the fixes in their messages, in the plain forms; None for what is not read here."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.privacy.exchanges import Exchange

MILLISECONDS: Final = 1e11  # a larger number of seconds would be in the year 5138

type Fixes = list[dict[str, Any]] | None


def read(said: Exchange) -> Fixes:
    """The fixes of a request, as the driver's own interface writes them."""
    path, body = urlsplit(said.path).path, _json(said.body)
    if path.startswith("/ingest/owntracks"):
        return owntracks(body)
    if path.startswith("/ingest/osmand"):
        return _osmand(said, body)
    if path.startswith("/ingest/traccar"):
        return _traccar(body)
    return _overland(body)


def owntracks(body: Any) -> Fixes:
    """Other messages than a location have no place."""
    if not isinstance(body, dict):
        return None
    if body.get("_type") != "location":
        return [] if body.get("_type") in {"cmd", "lwt", "status"} else None
    return [_fix(body.get("tst"), body.get("lat"), body.get("lon"), body.get("acc"))]


def _osmand(said: Exchange, body: Any) -> Fixes:
    query = {name: values[-1] for name, values in parse_qs(urlsplit(said.path).query).items()}
    if (said.body.strip() not in {b"", b"null"} and body is None) or not {"lat", "lon"} <= query.keys():
        return None
    try:
        lat, lon = float(query["lat"]), float(query["lon"])
    except ValueError:
        return None
    return [_fix(query.get("timestamp"), lat, lon, None)]


def _overland(body: Any) -> Fixes:
    features = body.get("locations") if isinstance(body, dict) else None
    if not isinstance(features, list):
        return None
    try:
        return [_feature(one) for one in (*features, *filter(None, [body.get("current")]))]
    except (KeyError, TypeError, IndexError, AttributeError):
        return None


def _feature(feature: Any) -> dict[str, Any]:
    lon, lat = feature["geometry"]["coordinates"][:2]
    return _fix(
        feature["properties"].get("timestamp"), lat, lon, feature["properties"].get("horizontal_accuracy")
    )


def _traccar(body: Any) -> Fixes:
    try:
        position = body["position"]
        return [_fix(position["fixTime"], position["latitude"], position["longitude"], None)]
    except (KeyError, TypeError):
        return None


def _fix(at: object, lat: object, lon: object, accuracy: object) -> dict[str, Any]:
    fix: dict[str, Any] = {"lat": lat, "lon": lon, "accuracy": accuracy}
    if isinstance(at, str) and at.replace(".", "", 1).isdigit():
        at = float(at)
    if isinstance(at, int | float) and abs(at) < 1e15:
        at = datetime.fromtimestamp(at / 1_000 if at > MILLISECONDS else at, UTC).isoformat()
    return fix | ({"recorded_at": at} if isinstance(at, str) else {})


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
