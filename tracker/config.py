"""Config: all settings, read once from the environment. A wrong or unknown setting stops the start."""

import os
import re
import ssl
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tracker.database_url import asyncpg_url
from tracker.errors import ConfigError

SECRET_MIN_LENGTH: Final = 20  # characters
LONGEST_RETENTION: Final = 36_500  # days
WHOLE_DAYS: Final = f"must be a whole number of days from 1 to {LONGEST_RETENTION}"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
NOT_YET: Final = "is not supported by this version; unset it"
# Kubernetes sets these in each container if a Service is called "tracker".
INJECTED: Final = re.compile(r"TRACKER_PORT(_.*)?|TRACKER_SERVICE_.*")
PREFIX: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")  # the same in raw and decoded paths
# The first segments of the service's own paths. A prefix like one of them could not be told from a path.
OWN_PATHS: Final = tuple(
    f"/{name}/"
    for name in (
        *("api", "asyncapi.json", "dispatch", "docs", "drive", "embed", "favicon.ico", "ingest", "livez"),
        *("map", "metrics", "openapi.json", "readyz", "robots.txt", "static", "t", "tiles", "v1"),
    )
)
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

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
    "TRACKER_CUSTOMER_RETENTION_DAYS": "customer_retention_days",
    "TRACKER_TLS_CERT": "tls_cert",
    "TRACKER_TLS_KEY": "tls_key",
    "TRACKER_TRUSTED_PROXIES": "trusted_proxies",
    "TRACKER_LOG_LEVEL": "log_level",
}
# NAME_FILE may hold the path of a file with the value instead.
SECRETS: Final = ("DATABASE_URL", "NATS_URL", "TRACKER_ADMIN_KEY", "TRACKER_SECRET", "TRACKER_MQTT_URL")


Networks = tuple[IPv4Network | IPv6Network, ...]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one node; `Config.from_environment` is the only reader of `os.environ`."""

    database_url: str | None = None  # None: an embedded PostgreSQL under data_dir
    nats_url: str | None = None
    data_dir: Path = Path(".tracker")
    bind: str = "127.0.0.1:8080"
    public_url: str | None = None  # None: from the request
    admin_key: str | None = None
    secret: str | None = None  # None: created in data_dir at the first start
    mqtt_url: str | None = None
    map: str | None = None  # None: the demo area
    router: str | None = None  # None: threads of this process; `child`, or the URL of a Valhalla server
    retention_days: int = 30  # days
    customer_retention_days: int = 90  # days after an order's end
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: str = ""  # comma-separated networks whose X-Forwarded-… headers are trusted
    log_level: str = "info"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        """Read and check all settings. Raises ConfigError for an unknown `TRACKER_…` name or a bad value."""
        _reject_unknown(environment)
        texts = {field: text for name, field in SETTINGS.items() if (text := _text(environment, name))}
        try:
            config = msgspec.convert(texts, cls, strict=False, dec_hook=_read)
        except msgspec.ValidationError as error:
            raise _named(error) from error
        _check(config)
        return config

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
    def path_prefix(self) -> str:
        """The path of `public_url`, such as `/tracking`; empty without one."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`."""
        host, _, port = self.bind.rpartition(":")
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


def _reject_unknown(environment: Mapping[str, str]) -> None:
    known = (*SETTINGS, *(f"{name}_FILE" for name in SECRETS))
    for name in environment:
        if name.startswith("TRACKER_") and name not in known and not INJECTED.fullmatch(name):
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}? There are" if close else "there are"
            raise ConfigError(name, f"no such setting; {hint} {', '.join(SETTINGS)}")


def _text(environment: Mapping[str, str], name: str) -> str:
    """Return the setting's stripped text, from NAME or the file at NAME_FILE; "" if unset."""
    text = environment.get(name, "").strip()
    path = environment.get(f"{name}_FILE", "").strip() if name in SECRETS else ""
    if text and path:
        raise ConfigError(name, f"is set, and {name}_FILE too; unset one of them")
    if path:
        text = _of_file(f"{name}_FILE", Path(path))
    elif name == "DATABASE_URL" and name in environment and not text:
        raise ConfigError(name, "is empty; unset it for an embedded PostgreSQL, or set postgresql://…")
    if CONTROL.search(text):
        raise ConfigError(name, "contains a line break or another control character; remove it")
    return text


def _of_file(name: str, path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8"
        raise ConfigError(name, f"{path} cannot be read: {why}") from error
    if not text:
        raise ConfigError(name, f"{path} is empty")
    return text


def _named(error: msgspec.ValidationError) -> ConfigError:
    """Convert msgspec's `Expected int … - at $.retention_days` to an error with the setting's name.

    Only the numbers of days can be wrong here; all other settings are text and are checked later.
    """
    _, _, field = str(error).partition(" - at `$.")
    names = {field: name for name, field in SETTINGS.items()}
    return ConfigError(names.get(field.rstrip("`"), "configuration"), WHOLE_DAYS)


def _check(config: Config) -> None:
    _check_bind(config.bind)
    _check_database_url(config.database_url)
    _check_address("TRACKER_PUBLIC_URL", config.public_url)
    _check_prefix(config.path_prefix)
    if config.router != "child":
        _check_address("TRACKER_ROUTER", config.router)
    _check_length("TRACKER_ADMIN_KEY", config.admin_key)
    if config.admin_key is not None and not re.fullmatch(r"[!-~]+", config.admin_key):
        raise ConfigError("TRACKER_ADMIN_KEY", "must be printable ASCII characters without spaces")
    _check_length("TRACKER_SECRET", config.secret)
    _check_days("TRACKER_RETENTION_DAYS", config.retention_days)
    _check_days("TRACKER_CUSTOMER_RETENTION_DAYS", config.customer_retention_days)
    if config.log_level not in LOG_LEVELS:
        raise ConfigError("TRACKER_LOG_LEVEL", f"must be one of {', '.join(LOG_LEVELS)}")
    _check_tls(config.tls_cert, config.tls_key)
    _check_proxies(config)
    for name, value in (("NATS_URL", config.nats_url), ("TRACKER_MQTT_URL", config.mqtt_url)):
        if value is not None:
            raise ConfigError(name, NOT_YET)


def _check_database_url(url: str | None) -> None:
    try:
        if url is not None:
            asyncpg_url(url)
    except ValueError as error:
        raise ConfigError("DATABASE_URL", str(error)) from None


def _check_address(name: str, url: str | None) -> None:
    """Check an http or https URL, with or without a path, that links and requests begin with."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(name, f"is not a URL: {error}; write it like https://track.example") from None
    if parts.scheme not in {"http", "https"}:
        raise ConfigError(name, "must begin with http:// or https://")
    if not parts.hostname:
        raise ConfigError(name, "has no host; write it like https://track.example")
    if "?" in url or "#" in url:
        raise ConfigError(name, "must not contain ? or #; write it like https://track.example")
    if parts.username is not None or re.search(r"\s", url):
        raise ConfigError(name, "must not contain a user or spaces; write it like https://track.example")


def _check_prefix(prefix: str) -> None:
    if not PREFIX.fullmatch(prefix):
        why = f"has the path {prefix!r}; use letters, digits and - . _ ~ only, like https://shop.example/tracking"
        raise ConfigError("TRACKER_PUBLIC_URL", why)
    if f"{prefix}/".startswith(OWN_PATHS):
        why = f"has the path {prefix}, like paths of the service; choose another, such as /tracking"
        raise ConfigError("TRACKER_PUBLIC_URL", why)


def _check_days(name: str, days: int) -> None:
    if not 1 <= days <= LONGEST_RETENTION:
        raise ConfigError(name, WHOLE_DAYS)


def _check_length(name: str, secret: str | None) -> None:
    if secret is not None and len(secret) < SECRET_MIN_LENGTH:
        raise ConfigError(name, f"must have at least {SECRET_MIN_LENGTH} characters")


def _check_tls(cert: Path | None, key: Path | None) -> None:
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise ConfigError("TRACKER_TLS_CERT", "set both TRACKER_TLS_CERT and TRACKER_TLS_KEY, or neither")
    for name, path, begins in (
        ("TRACKER_TLS_CERT", cert, b"-----BEGIN CERTIFICATE-----"),
        ("TRACKER_TLS_KEY", key, b"PRIVATE KEY-----"),
    ):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(name, f"{path} cannot be read: {error.strerror}") from error
        if begins not in content:
            what = "certificate" if path is cert else "private key"
            raise ConfigError(name, f"{path} holds no {what} in PEM format")
    _check_pair(cert, key)


def _check_pair(cert: Path, key: Path) -> None:
    def reject_password() -> str:
        raise ConfigError("TRACKER_TLS_KEY", f"{key} is protected by a password; decrypt it first")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, reject_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError("TRACKER_TLS_KEY", f"{key} does not belong to {cert}") from error
        reason = error.reason or str(error)
        raise ConfigError("TRACKER_TLS_CERT", f"{cert} and {key} cannot be used: {reason}") from error


def _check_proxies(config: Config) -> None:
    try:
        _ = config.proxies
    except ValueError as error:
        why = f"must be comma-separated CIDR ranges, such as 10.0.0.0/8,::1: {error}"
        raise ConfigError("TRACKER_TRUSTED_PROXIES", why) from None


def _check_bind(bind: str) -> None:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("TRACKER_BIND", "must be an address and a port, like 127.0.0.1:8080")
    if host != "localhost":
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            raise ConfigError("TRACKER_BIND", f"{host!r} is not an IP address") from None
