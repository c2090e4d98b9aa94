"""The settings: the one list that the environment, the options, `tracker settings` and the README follow."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: its name in the environment, its field of Config, and what it means."""

    name: str
    field: str
    meaning: str
    unset: str = ""  # what an absent value means, if the field has no default of its own
    secret: bool = False  # never shown; NAME_FILE or --NAME-file may name a file with the value
    takes: Literal["address", "days", "level", "map", "networks", "path", "router", "switch", "text", "url"]

    @property
    def option(self) -> str:
        """The option on the command line. A secret has one for its file only: process lists show options."""
        plain = self.name.removeprefix("TRACKER_").lower().replace("_", "-")
        return f"--{plain}-file" if self.secret else f"--{plain}"

    @property
    def file_name(self) -> str:
        """The name in the environment of a file that holds the secret."""
        return f"{self.name}_FILE"


_ALL: Final = (
    Setting(
        name="DATABASE_URL",
        field="database_url",
        meaning="PostgreSQL 15 or newer, as a libpq URL such as postgresql://tracker@db/tracker.",
        unset="an embedded PostgreSQL in the data folder",
        secret=True,
        takes="url",
    ),
    Setting(
        name="DATABASE_REPLICA_URL",
        field="database_replica_url",
        meaning="A streaming replica of that database, for reads of the past only: history, tracks, reports.",
        unset="none",
        secret=True,
        takes="url",
    ),
    Setting(
        name="TRACKER_DATA_DIR",
        field="data_dir",
        meaning="Folder for the embedded database, routing tiles, map tiles and the secret.",
        takes="path",
    ),
    Setting(name="TRACKER_BIND", field="bind", takes="address", meaning="Address and port to serve on."),
    Setting(
        name="TRACKER_METRICS_BIND",
        field="metrics_bind",
        meaning="Second address, for /metrics, /livez and /readyz; /metrics is then 404 on TRACKER_BIND.",
        unset="none",
        takes="address",
    ),
    Setting(
        name="TRACKER_PUBLIC_URL",
        field="public_url",
        takes="url",
        meaning="Start of tracking links. It may have a path, such as https://shop.example/tracking.",
        unset="from the request",
    ),
    Setting(
        name="TRACKER_ADMIN_KEY",
        field="admin_key",
        meaning="An API key with every scope, of at least 20 characters.",
        unset="none",
        secret=True,
        takes="text",
    ),
    Setting(
        name="TRACKER_SECRET",
        field="secret",
        meaning="Tracking links are derived from it. It must be the same on every node.",
        unset="created in the data folder at the first start",
        secret=True,
        takes="text",
    ),
    Setting(
        name="TRACKER_MAP",
        field="map",
        takes="map",
        meaning="An OpenStreetMap extract (.osm.pbf): a path, or a URL that is downloaded once.",
        unset="central Helsinki",
    ),
    Setting(
        name="TRACKER_ROUTER",
        field="router",
        takes="router",
        meaning="`child` runs Valhalla as a separate process; http://… uses one elsewhere.",
        unset="threads of the service",
    ),
    Setting(
        name="TRACKER_RETENTION_DAYS",
        field="retention_days",
        takes="days",
        meaning="Days until positions are deleted.",
    ),
    Setting(
        name="TRACKER_CUSTOMER_RETENTION_DAYS",
        field="customer_retention_days",
        takes="days",
        meaning="Days from an order's end until its customer's data is erased.",
    ),
    Setting(
        name="TRACKER_TLS_CERT",
        field="tls_cert",
        meaning="PEM file of the certificate chain, to serve https and wss without a proxy.",
        unset="none",
        takes="path",
    ),
    Setting(
        name="TRACKER_TLS_KEY",
        field="tls_key",
        meaning="PEM file of the certificate's private key.",
        unset="none",
        takes="path",
    ),
    Setting(
        name="TRACKER_TRUSTED_PROXIES",
        field="trusted_proxies",
        takes="networks",
        meaning="Comma-separated CIDR ranges of reverse proxies whose X-Forwarded headers are believed.",
        unset="none",
    ),
    Setting(
        name="TRACKER_WEBHOOKS_PRIVATE",
        field="webhooks_private",
        takes="switch",
        meaning="`on`: webhooks may go to private and loopback addresses, and over http.",
    ),
    Setting(
        name="TRACKER_LOG_LEVEL",
        field="log_level",
        meaning=f"The least severe log events to write: {', '.join(LOG_LEVELS)}.",
        takes="level",
    ),
    Setting(
        name="NATS_URL",
        field="nats_url",
        meaning="Bus between several nodes, such as nats://tracker:PASSWORD@nats.example:4222.",
        unset="none",
        secret=True,
        takes="url",
    ),
    Setting(
        name="TRACKER_MQTT_URL",
        field="mqtt_url",
        meaning="Broker for positions over MQTT, such as mqtts://tracker:PASSWORD@broker.example.",
        unset="none",
        secret=True,
        takes="url",
    ),
    Setting(
        name="TRACKER_MQTT_PUBLIC_URL",
        field="mqtt_public_url",
        meaning="The broker's address for phones, such as mqtts://broker.example:8883.",
        unset="that in TRACKER_MQTT_URL",
        takes="url",
    ),
)
SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _ALL}
