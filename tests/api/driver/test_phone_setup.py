"""What `setup` says works: each app, set up with it, is received as this driver."""

import json
import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.api.driver.test_phone_apps import NOBODY, basic, bearer, feature, forwarded, last_fix, location
from tests.service import ADMIN_KEY, Service

APPS = (
    "owntracks",
    "osmand",
    "traccar_client",
    "gpslogger",
    "dawarich",
    "overland",
    "colota",
    "traccar_server",
)


@pytest.mark.parametrize("app", APPS)
async def test_an_app_that_is_set_up_is_received(service: Service, app: str) -> None:
    """With the values of `setup` alone, and the requests that the app makes of them."""
    driver = await service.post("/v1/drivers", {"name": "A", "vehicle": "car", "reference": f"IMEI {app}"})
    answer = await service.http.request(**asked(app, driver["setup"][app]))
    assert answer.status_code == 200, answer.text
    assert (await last_fix(service, driver))["lat"] == 60.17


def asked(app: str, setup: Any) -> dict[str, Any]:  # noqa: PLR0911
    """The request of an app with these settings."""
    now = datetime.now(UTC).timestamp()
    match app:
        case "owntracks":
            headers = basic(setup["username"], setup["password"])
            return {"method": "POST", "url": setup["url"], "json": location(), "headers": headers}
        case "osmand":
            url = setup["url"].format(60.17, 24.94, int(now * 1000), 5.0, 12.0, 3.2, 90.0, 0, 0, 0, 0)
            return {"method": "GET", "url": url, "headers": NOBODY}
        case "traccar_client":
            fields = {"id": setup["device_id"], "lat": "60.17", "lon": "24.94", "timestamp": f"{now:.0f}"}
            return {"method": "POST", "url": setup["url"], "data": fields, "headers": NOBODY}
        case "gpslogger":
            values = {"LAT": "60.17", "LON": "24.94", "TIMESTAMP": f"{now:.0f}", "ACC": "5.0"}
            url = re.sub(r"%([A-Z]+)", lambda found: values.get(found[1], ""), setup["url"])
            name, _, value = setup["headers"].partition(": ")
            return {"method": setup["method"], "url": url, "headers": {name: value}}
        case "dawarich":
            url = f"{setup['url']}/api/v1/overland/batches?api_key={setup['api_key']}"
            return {"method": "POST", "url": url, "json": {"locations": [feature()]}, "headers": NOBODY}
        case "overland":
            body: Any = {"locations": [feature()]}
            return {"method": "POST", "url": setup["url"], "json": body, "headers": bearer(setup["token"])}
        case "colota":
            body = {"lat": 60.17, "lon": 24.94, "acc": 5, "vel": 3.2, "batt": 83, "bs": 1, "tst": int(now)}
            return {"method": "POST", "url": setup["url"], "json": body, "headers": bearer(setup["token"])}
        case _:
            lines = dict(re.findall(r"<entry key='forward\.([\w.]+)'>(.*)</entry>", setup["config"]))
            name, _, value = lines["header"].replace("API_KEY", ADMIN_KEY).partition(": ")
            body = forwarded(setup["unique_id"])
            return {"method": "POST", "url": lines["url"], "json": body, "headers": {name: value}}


async def test_the_links_hold_the_same_settings(service: Service) -> None:
    """Apps that can be set up by a link get from it what could be typed."""
    driver = await service.new_driver()
    setup, token = driver["setup"], driver["token"]
    owntracks = inline(setup["owntracks"]["setup_url"], "inline")
    assert (owntracks["_type"], owntracks["mode"]) == ("configuration", 3)
    assert [owntracks[name] for name in ("url", "username", "password")] == [
        setup["owntracks"][name] for name in ("url", "username", "password")
    ]
    colota = inline(setup["colota"]["setup_url"], "config")
    assert (colota["endpoint"], colota["auth"]["bearerToken"]) == (setup["colota"]["url"], token)
    for app, names in (("traccar_client", ("url", "id")), ("overland", ("url", "token"))):
        fields = parse_qs(urlsplit(setup[app]["setup_url"]).query)
        assert [fields[name] for name in names] == [[setup[app]["url"]], [token]]


def inline(link: str, name: str) -> Any:
    """The settings in a link: JSON, in Base64 with its own alphabet, escaped."""
    assert re.fullmatch(r"[A-Za-z0-9%]+", link.partition(f"{name}=")[2])
    return json.loads(b64decode(parse_qs(urlsplit(link).query)[name][0], validate=True))
