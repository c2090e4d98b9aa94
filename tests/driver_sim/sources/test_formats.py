"""What the simulator sends in each app's format, as the service reads it."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from driver_sim.sources.formats import FORMATS, AppProtocol, AppRequest
from tracker.domain.tracks.fix import Fix
from tracker.messages import Fixes
from tracker.phone_apps import osmand, overland, owntracks
from tracker.phone_apps.report import Reading

TOKEN = "drt_secret"
AT = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
FIX = Fix(AT, 60.17, 24.94, accuracy=5.0, speed=10.0, heading=90.0, battery=0.5)
READERS: dict[AppProtocol, Callable[[AppRequest], list[Reading]]] = {
    "http": lambda request: [*msgspec.json.decode(request.body, type=Fixes).fixes],
    "osmand": lambda request: osmand.parse(dict(parse_qsl(urlsplit(request.path).query)), AT).readings,
    "owntracks": lambda request: owntracks.parse(request.body).readings,
    "overland": lambda request: [one for part in overland.parse(request.body) for one in part.readings],
}


@pytest.mark.parametrize("protocol", READERS)
def test_the_service_reads_the_same_fix(protocol: AppProtocol) -> None:
    """Time, place, accuracy, speed in m/s and heading arrive unchanged."""
    [fix] = READERS[protocol](FORMATS[protocol].request(TOKEN, [FIX]))
    assert isinstance(fix, Fix)
    assert (fix.recorded_at, fix.lonlat) == (AT, FIX.lonlat)
    assert (fix.accuracy, fix.speed, fix.heading) == (5.0, 10.0, 90.0)


@pytest.mark.parametrize("protocol", READERS)
def test_unknown_values_stay_unknown(protocol: AppProtocol) -> None:
    """Overland writes -1, which the service drops when it judges the fix."""
    [fix] = READERS[protocol](FORMATS[protocol].request(TOKEN, [Fix(AT, 60.17, 24.94)]))
    assert isinstance(fix, Fix)
    assert {fix.accuracy, fix.speed, fix.heading, fix.battery} <= {None, -1.0}


@pytest.mark.parametrize("protocol", READERS)
def test_each_request_has_the_token(protocol: AppProtocol) -> None:
    request = FORMATS[protocol].request(TOKEN, [FIX])
    assert request.headers.get("Authorization") == f"Bearer {TOKEN}" or f"/{TOKEN}?" in request.path


def test_overland_keeps_what_is_not_ok() -> None:
    """Unlike the other apps, it reads the answer."""
    assert FORMATS["overland"].read(b'{"result":"ok"}', 3) is not None
    assert FORMATS["overland"].read(b'{"error":"full"}', 3) is None
