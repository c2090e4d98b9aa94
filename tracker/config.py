"""Config: every setting, read once from the environment. A wrong or unknown one stops the start by name."""

import os
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tracker.errors import ConfigError

SECRET_MIN_LENGTH: Final = 20  # characters
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
NOT_YET: Final = "is not supported by this version; unset it"

# name in the environment -> field of Config
SETTINGS: Final[Mapping[str, str]] = {
    "DATABASE_URL": "database_url",
    "NATS_URL": "nats_url",
    "TRACKER_DATA_DIR": "data_dir",
    "TRACKER_BIND": "bind",
    "TRACKER_PUBLIC_URL": "public_url",
    "TRACKER_ADMIN_KEY": "admin_key",
    "TRACKER_SECRET": "secret",
    "TRACKER_MQTT_URL": "mqtt_url",
    "TRACKER_MAP": "map",
    "TRACKER_ROUTER": "router",
    "TRACKER_RETENTION_DAYS": "retention_days",
    "TRACKER_TLS_CERT": "tls_cert",
    "TRACKER_TLS_KEY": "tls_key",
    "TRACKER_TRUSTED_PROXIES": "trusted_proxies",
    "TRACKER_LOG_LEVEL": "log_level",
}


Networks = tuple[IPv4Network | IPv6Network, ...]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one node; `Config.from_environment` is the only reader of `os.environ`."""

    database_url: str | None = None  # None: an embedded PostgreSQL under data_dir
    nats_url: str | None = None
    data_dir: Path = Path(".tracker")
    bind: str = "127.0.0.1:8080"
    public_url: str | None = None  # None: from the request
    admin_key: str | None = None
    secret: str | None = None  # None: made at first start in data_dir
    mqtt_url: str | None = None
    map: str | None = None  # None: the demo area
    router: str | None = None  # None: in our own threads; `child`, or the address of a Valhalla
    retention_days: int = 30  # days
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: str = ""  # networks with commas, whose X-Forwarded-… headers are believed
    log_level: str = "info"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        """Raises ConfigError for an unknown `TRACKER_…` name or a value that cannot work."""
        _refuse_unknown(environment)
        given = {field: environment[name] for name, field in SETTINGS.items() if environment.get(name)}
        try:
            config = msgspec.convert(given, cls, strict=False, dec_hook=_read)
        except msgspec.ValidationError as error:
            raise _named(error) from error
        _check(config)
        return config

    @property
    def proxies(self) -> "Networks":
        return _networks(self.trusted_proxies)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`."""
        host, _, port = self.bind.rpartition(":")
        return host.strip("[]"), int(port)


def _read(wanted: type[Any], text: str) -> Path:
    """Text -> the one type of ours that msgspec does not know."""
    if wanted is not Path:
        raise NotImplementedError(wanted)
    return Path(text)


@cache
def _networks(text: str) -> Networks:
    """`10.0.0.0/8, ::1`; raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    for name in environment:
        if name.startswith("TRACKER_") and name not in SETTINGS:
            raise ConfigError(name, f"no such setting; there are {', '.join(SETTINGS)}")


def _named(error: msgspec.ValidationError) -> ConfigError:
    """`Expected int … - at $.retention_days` -> the name that stands in the environment."""
    why, _, field = str(error).partition(" - at `$.")
    names = {field: name for name, field in SETTINGS.items()}
    return ConfigError(names.get(field.rstrip("`"), "configuration"), why)


def _check(config: Config) -> None:
    _check_bind(config.bind)
    _check_scheme("DATABASE_URL", config.database_url, {"postgres", "postgresql"})
    _check_scheme("TRACKER_PUBLIC_URL", config.public_url, {"http", "https"})
    if config.router != "child":
        _check_scheme("TRACKER_ROUTER", config.router, {"http", "https"})
    _check_length("TRACKER_ADMIN_KEY", config.admin_key)
    _check_length("TRACKER_SECRET", config.secret)
    if config.retention_days < 1:
        raise ConfigError("TRACKER_RETENTION_DAYS", "must be at least 1")
    if config.log_level not in LOG_LEVELS:
        raise ConfigError("TRACKER_LOG_LEVEL", f"must be one of {', '.join(LOG_LEVELS)}")
    _check_tls(config.tls_cert, config.tls_key)
    _check_proxies(config)
    for name, value in (("NATS_URL", config.nats_url), ("TRACKER_MQTT_URL", config.mqtt_url)):
        if value is not None:
            raise ConfigError(name, NOT_YET)


def _check_scheme(name: str, url: str | None, schemes: set[str]) -> None:
    if url is not None and urlsplit(url).scheme not in schemes:
        raise ConfigError(
            name, f"must begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}"
        )


def _check_length(name: str, secret: str | None) -> None:
    if secret is not None and len(secret) < SECRET_MIN_LENGTH:
        raise ConfigError(name, f"must have at least {SECRET_MIN_LENGTH} characters")


def _check_tls(cert: Path | None, key: Path | None) -> None:
    if (cert is None) != (key is None):
        raise ConfigError("TRACKER_TLS_CERT", "needs TRACKER_TLS_KEY, and the other way round")
    for name, path in (("TRACKER_TLS_CERT", cert), ("TRACKER_TLS_KEY", key)):
        if path is not None and not path.is_file():
            raise ConfigError(name, f"there is no file {path}")


def _check_proxies(config: Config) -> None:
    try:
        _ = config.proxies
    except ValueError as error:
        raise ConfigError("TRACKER_TRUSTED_PROXIES", f"must be networks with commas: {error}") from None


def _check_bind(bind: str) -> None:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("TRACKER_BIND", "must be an address and a port, like 127.0.0.1:8080")
    if host != "localhost":
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            raise ConfigError("TRACKER_BIND", f"{host!r} is not an IP address") from None
