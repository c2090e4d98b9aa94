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
    """Values in the query string or a form, or what Traccar Client sends as JSON."""
    if isinstance(body, dict):
        return _traccar_client(body)
    form = "" if body is not None else said.body.decode("latin-1")
    values = parse_qs(urlsplit(said.path).query) | parse_qs(form)
    try:
        lat, lon = (float(values[name][-1]) for name in ("lat", "lon"))
    except (KeyError, ValueError):
        return None
    return [_fix(values.get("timestamp", [None])[-1], lat, lon, None)]


def _traccar_client(body: dict[str, Any]) -> Fixes:
    try:
        location, coords = body["location"], body["location"]["coords"]
        return [_fix(location["timestamp"], coords["latitude"], coords["longitude"], coords.get("accuracy"))]
    except (KeyError, TypeError):
        return None


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
