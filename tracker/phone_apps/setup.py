"""Settings of phone apps, so that the service receives their positions as one driver's."""

from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct, field

from tracker.broker_urls import MqttAddress, parse_mqtt_url
from tracker.domain.order import Driver
from tracker.domain.reporting_policy import USUAL
from tracker.messages import Uri

INTERVAL_S: Final = round(USUAL.interval_s)
DISTANCE_M: Final = round(USUAL.min_move_m)
DEVICE: Final = "phone"
KEY_PLACE: Final = "API_KEY"  # in the lines for a Traccar server, which has a key of its own


class OwnTracks(Struct, frozen=True):
    """OwnTracks in its HTTP mode; the password is the driver's token."""

    mode: str
    """The app's mode: http."""
    url: Uri
    """Where the app sends."""
    username: str
    """Id of the driver."""
    password: str
    """The driver's token."""
    setup_url: Uri
    """Opens the app with all settings filled in."""

    @property
    def configuration(self) -> "OwnTracksConfiguration":
        """The same settings as a file."""
        return OwnTracksConfiguration(url=self.url, username=self.username, password=self.password)


class OwnTracksConfiguration(Struct, frozen=True, kw_only=True):
    """A configuration of OwnTracks, in a link or a file (`.otrc`)."""

    type: str = field(default="configuration", name="_type")
    """Kind of the file."""
    mode: int = 3
    """3: HTTP."""
    url: Uri
    """Where the app sends."""
    auth: bool = True
    """Whether the app sends the user name and the password."""
    username: str
    """Id of the driver."""
    password: str
    """The driver's token."""
    device_id: str = field(default=DEVICE, name="deviceId")
    """Name of the device."""
    monitoring: int = 2
    """2: report often while the phone moves."""
    move_interval: int = field(default=INTERVAL_S, name="moveModeLocatorInterval")
    """Seconds between two reports in that mode (Android)."""
    interval: int = field(default=INTERVAL_S, name="locatorInterval")
    """Seconds between two reports (iOS, and the other modes of Android)."""
    displacement: int = field(default=DISTANCE_M, name="locatorDisplacement")
    """Metres between two reports."""
    extended: bool = field(default=True, name="pubExtendedData")
    """Whether the app also reports the battery and the network."""
    cmd: bool = True
    """Whether the service may change how often the app reports (iOS)."""
    remote_configuration: bool = field(default=True, name="remoteConfiguration")
    """The same on Android."""


class UrlTemplate(Struct, frozen=True):
    """A URL with the app's own placeholders for measured values."""

    url: str
    """URL with the app's own placeholders."""


class TraccarClient(Struct, frozen=True):
    """Traccar Client, whose device identifier is the driver's token."""

    url: Uri
    """Where the app sends."""
    device_id: str
    """The driver's token."""
    setup_url: Uri
    """Opens the app with all settings filled in."""


class GpsLogger(Struct, frozen=True):
    """GPSLogger's custom URL."""

    url: str
    """URL with the app's own placeholders."""
    method: str
    """HTTP method."""
    headers: str
    """Header lines."""


class Dawarich(Struct, frozen=True):
    """Programs that send to a Dawarich server; GPSLogger can."""

    url: Uri
    """Address of the server, to which the program adds a path."""
    api_key: str
    """The driver's token."""


class Overland(Struct, frozen=True):
    """Settings of Overland."""

    url: Uri
    """Where the app sends."""
    token: str
    """The driver's token."""
    device_id: str
    """Id of the driver."""
    setup_url: Uri
    """Opens the app with all settings filled in."""


class Colota(Struct, frozen=True):
    """Settings of Colota, with its own format."""

    url: Uri
    """Where the app sends."""
    token: str
    """The driver's token, as Bearer token."""
    setup_url: Uri
    """Opens the app with all settings filled in."""


class TraccarServer(Struct, frozen=True):
    """A Traccar server that forwards the positions of its devices."""

    unique_id: str | None
    """Identifier of the driver's device: the driver's `reference`. Null: give the driver one first."""
    config: str
    """Lines for traccar.xml, with an API key of scope `orders` in place of API_KEY."""


class Mqtt(Struct, frozen=True):
    """OwnTracks in its MQTT mode. The broker knows the account after the next `tracker mqtt acl`."""

    host: str
    """Host name of the broker."""
    port: int
    """Port of the broker."""
    tls: bool
    """Whether the connection is encrypted."""
    username: str
    """Id of the driver."""
    password: str
    """The driver's token."""
    device_id: str
    """Name of the device."""
    topic: str
    """Topic that the app publishes to."""


class Setup(Struct, frozen=True, kw_only=True):
    """Settings of each phone app."""

    owntracks: OwnTracks
    """OwnTracks."""
    osmand: UrlTemplate
    """OsmAnd."""
    traccar_client: TraccarClient
    """Traccar Client."""
    gpslogger: GpsLogger
    """GPSLogger."""
    dawarich: Dawarich
    """Programs that send to Dawarich."""
    overland: Overland
    """Overland."""
    colota: Colota
    """Colota."""
    traccar_server: TraccarServer
    """A Traccar server."""
    mqtt: Mqtt | None
    """OwnTracks over MQTT. Null if no broker is configured."""
    driver_page: Uri
    """The service's own page for drivers."""


def setup_for(driver: Driver, token: str, *, base: str, mqtt_url: str | None) -> Setup:
    """Return the settings for a driver. *base*: the service's URL without a trailing slash."""
    return Setup(
        owntracks=_owntracks(driver, token, f"{base}/ingest/owntracks"),
        osmand=UrlTemplate(_osmand(base, token)),
        traccar_client=_traccar_client(token, f"{base}/ingest/osmand"),
        gpslogger=GpsLogger(_gpslogger(base), "GET", f"Authorization: Bearer {token}"),
        dawarich=Dawarich(base, token),
        overland=_overland(driver, token, f"{base}/ingest/overland"),
        colota=_colota(token, f"{base}/ingest/osmand"),
        traccar_server=TraccarServer(driver.reference, _traccar_server(base)),
        mqtt=None if mqtt_url is None else _mqtt(driver, token, parse_mqtt_url(mqtt_url)),
        driver_page=f"{base}/drive#token={token}",  # browsers do not send the fragment, so no log has it
    )


def _owntracks(driver: Driver, token: str, url: str) -> OwnTracks:
    configuration = OwnTracksConfiguration(url=url, username=driver.id, password=token)
    link = f"owntracks:///config?inline={_inline(configuration)}"
    return OwnTracks("http", url, driver.id, token, link)


def _inline(configuration: OwnTracksConfiguration | dict[str, Any]) -> str:
    return quote(b64encode(msgspec.json.encode(configuration)).decode(), safe="")


def _osmand(base: str, token: str) -> str:
    """Return OsmAnd's URL. Placeholders: latitude, longitude, milliseconds, metres, metres, m/s, degrees,
    and of its navigation the arrivals in milliseconds and distances in metres.
    """
    return (
        f"{base}/ingest/osmand/{token}?lat={{0}}&lon={{1}}&timestamp={{2}}&accuracy={{3}}"
        "&altitude={4}&speed={5}&speed_unit=mps&bearing={6}&eta={7}&etfa={8}&eda={9}&edfa={10}"
    )


def _traccar_client(token: str, url: str) -> TraccarClient:
    settings = {"url": url, "id": token, "accuracy": "highest", "distance": 0, "interval": INTERVAL_S}
    settings |= {"buffer": "true", "wakelock": "true"}
    return TraccarClient(url, token, f"org.traccar.client://config?{urlencode(settings, quote_via=quote)}")


def _gpslogger(base: str) -> str:
    return (
        f"{base}/ingest/osmand?lat=%LAT&lon=%LON&timestamp=%TIMESTAMP&accuracy=%ACC"
        "&altitude=%ALT&speed=%SPD&speed_unit=mps&bearing=%DIR&batt=%BATT&charge=%ISCHARGING"
    )


def _overland(driver: Driver, token: str, url: str) -> Overland:
    settings = urlencode({"url": url, "token": token, "device_id": driver.id}, quote_via=quote)
    return Overland(url, token, driver.id, f"overland://setup?{settings}")


def _colota(token: str, url: str) -> Colota:
    configuration = {
        "endpoint": url,
        "apiTemplate": "custom",
        "httpMethod": "POST",
        "interval": INTERVAL_S,
        "auth": {"type": "bearer", "bearerToken": token},
    }
    return Colota(url, token, f"colota://setup?config={_inline(configuration)}")


def _traccar_server(base: str) -> str:
    return (
        "<entry key='forward.type'>json</entry>\n"
        f"<entry key='forward.url'>{base}/ingest/traccar</entry>\n"
        f"<entry key='forward.header'>Authorization: Bearer {KEY_PLACE}</entry>\n"
        "<entry key='forward.retry.enable'>true</entry>"
    )


def _mqtt(driver: Driver, token: str, broker: MqttAddress) -> Mqtt:
    topic = f"owntracks/{driver.id}/{DEVICE}"
    return Mqtt(broker.host, broker.port, broker.tls, driver.id, token, DEVICE, topic)
