"""Settings of phone apps, so that the service receives their positions as one driver's."""

from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from tracker.domain.order import Driver
from tracker.messages import Uri


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


class UrlTemplate(Struct, frozen=True):
    """A URL with the app's own placeholders for measured values."""

    url: str
    """URL with the app's own placeholders."""


class TraccarClient(Struct, frozen=True):
    url: Uri
    """Where the app sends."""
    device_id: str
    """The driver's token."""


class GpsLogger(Struct, frozen=True):
    """GPSLogger's custom URL."""

    url: str
    """URL with the app's own placeholders."""
    method: str
    """HTTP method."""
    headers: str
    """Header lines."""


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


class Mqtt(Struct, frozen=True):
    """OwnTracks in its MQTT mode, with an account from the operator of the broker."""

    host: str
    """Host name of the broker."""
    port: int
    """Port of the broker."""
    tls: bool
    """Whether the connection is encrypted."""
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
    overland: Overland
    """Overland."""
    mqtt: Mqtt | None
    """OwnTracks over MQTT. Null if no broker is configured."""
    driver_page: Uri
    """The service's own page for drivers."""


def setup_for(driver: Driver, token: str, *, base: str, mqtt_url: str | None) -> Setup:
    """Return the settings for a driver. *base*: the service's URL without a trailing slash."""
    overland = f"{base}/ingest/overland"
    opening = urlencode({"url": overland, "token": token, "device_id": driver.id}, quote_via=quote)
    return Setup(
        owntracks=OwnTracks("http", f"{base}/ingest/owntracks", driver.id, token),
        osmand=UrlTemplate(_osmand(base, token)),
        traccar_client=TraccarClient(f"{base}/ingest/osmand", token),
        gpslogger=GpsLogger(_gpslogger(base), "GET", f"Authorization: Bearer {token}"),
        overland=Overland(overland, token, driver.id, f"overland://setup?{opening}"),
        mqtt=None if mqtt_url is None else _mqtt(driver, mqtt_url),
        driver_page=f"{base}/drive#token={token}",  # browsers do not send the fragment, so no log has it
    )


def _osmand(base: str, token: str) -> str:
    """Return OsmAnd's URL. Placeholders: latitude, longitude, milliseconds, metres, metres, m/s, degrees."""
    return (
        f"{base}/ingest/osmand/{token}?lat={{0}}&lon={{1}}&timestamp={{2}}&accuracy={{3}}"
        "&altitude={4}&speed={5}&speed_unit=mps&bearing={6}"
    )


def _gpslogger(base: str) -> str:
    return (
        f"{base}/ingest/osmand?lat=%LAT&lon=%LON&timestamp=%TIMESTAMP&accuracy=%ACC"
        "&altitude=%ALT&speed=%SPD&speed_unit=mps&bearing=%DIR&batt=%BATT"
    )


def _mqtt(driver: Driver, mqtt_url: str) -> Mqtt:
    broker = urlsplit(mqtt_url)
    tls = broker.scheme == "mqtts"
    port = broker.port or (8883 if tls else 1883)
    return Mqtt(broker.hostname or "localhost", port, tls, f"owntracks/{driver.id}/phone")
