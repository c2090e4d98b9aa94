"""Config: the settings as values, checked."""

from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tracker.config.checks import WHOLE_DAYS, check
from tracker.config.settings import SETTINGS
from tracker.config.sources import Value, read_values
from tracker.errors import ConfigError

Networks = tuple[IPv4Network | IPv6Network, ...]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one node."""

    database_url: str | None = None  # None: an embedded PostgreSQL under data_dir
    database_replica_url: str | None = None  # None: the past is read from the primary too
    nats_url: str | None = None
    data_dir: Path = Path(".tracker")
    bind: str = "127.0.0.1:8080"
    metrics_bind: str | None = None  # None: metrics are on `bind`
    public_url: str | None = None  # None: from the request
    admin_key: str | None = None
    secret: str | None = None  # None: created in data_dir at the first start
    mqtt_url: str | None = None  # None: no positions over MQTT
    mqtt_public_url: str | None = None  # None: mqtt_url, without its account
    map: str | None = None  # None: the demo area
    router: str | None = None  # None: threads of this process; `child`, or the URL of a Valhalla server
    retention_days: int = 30  # days
    customer_retention_days: int = 90  # days after an order's end
    tls_cert: Path | None = None
    tls_key: Path | None = None
    webhooks_private: str = "off"  # `on`: webhooks may go to private and loopback addresses
    trusted_proxies: str = ""  # comma-separated networks whose X-Forwarded-… headers are trusted
    log_level: str = "info"

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
    ) -> "Config":
        """Read and check all settings. *options* win over the environment; see `read_values`.

        Raises ConfigError for an unknown `TRACKER_…` name or a bad value.
        """
        return cls.of(read_values(environment, options))

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> "Config":
        """Convert and check the values. Raises ConfigError."""
        texts = {SETTINGS[name].field: value.text for name, value in values.items() if value.text}
        try:
            config = msgspec.convert(texts, cls, strict=False, dec_hook=_read)
        except msgspec.ValidationError as error:
            raise _named(error) from error
        check(config)
        return config

    @property
    def allows_private_webhooks(self) -> bool:
        return self.webhooks_private == "on"

    @property
    def proxies(self) -> "Networks":
        return _networks(self.trusted_proxies)

    def make_data_dir(self) -> None:
        """Create the data folder if it is missing. Raises ConfigError if it cannot be written."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.data_dir):
                pass
        except OSError as error:
            why = (
                f"{self.data_dir} cannot be written: {error.strerror}; choose a folder writable by this user"
            )
            raise ConfigError("TRACKER_DATA_DIR", why) from error

    @property
    def phones_mqtt_url(self) -> str | None:
        """The broker's address for phones."""
        return self.mqtt_public_url or self.mqtt_url

    @property
    def path_prefix(self) -> str:
        """The path of `public_url`, such as `/tracking`; empty without one."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`."""
        return host_and_port(self.bind)


def host_and_port(bind: str) -> tuple[str, int]:
    """Return the parts of an address such as `127.0.0.1:8080` or `[::1]:8080`."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def _read(wanted: type[Any], text: str) -> Path:
    """Convert text to Path, the only field type that msgspec does not convert."""
    if wanted is not Path:
        raise NotImplementedError(wanted)
    return Path(text)


@cache
def _networks(text: str) -> Networks:
    """Parse networks such as `10.0.0.0/8, ::1`. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _named(error: msgspec.ValidationError) -> ConfigError:
    """Convert msgspec's `Expected int … - at $.retention_days` to an error with the setting's name.

    Only the numbers of days can be wrong here; all other settings are text and are checked later.
    """
    _, _, field = str(error).partition(" - at `$.")
    names = {setting.field: name for name, setting in SETTINGS.items()}
    return ConfigError(names.get(field.rstrip("`"), "configuration"), WHOLE_DAYS)
