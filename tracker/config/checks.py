"""What a setting's value may be. Each error says what is wrong and how to fix it."""

import errno
import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracker.broker_urls import MqttAddress, parse_mqtt_url, parse_nats_url
from tracker.config.settings import LOG_LEVELS
from tracker.database_url import asyncpg_url
from tracker.errors import ConfigError

if TYPE_CHECKING:
    from tracker.config.config import Config

SECRET_MIN_LENGTH: Final = 20  # characters
LONGEST_RETENTION: Final = 36_500  # days
WHOLE_DAYS: Final = f"must be a whole number of days from 1 to {LONGEST_RETENTION}"
PREFIX: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")  # the same in raw and decoded paths
_LISTEN_FIXES: Final = {
    errno.EADDRINUSE: "stop the program that uses it, or choose another port",
    errno.EACCES: "choose a port of 1024 or more",
    errno.EADDRNOTAVAIL: "choose an address of this machine, or 0.0.0.0 for all",
}
# The first segments of the service's own paths. A prefix like one of them could not be told from a path.
OWN_PATHS: Final = tuple(
    f"/{name}/"
    for name in (
        *("api", "asyncapi.json", "dispatch", "docs", "drive", "embed", "favicon.ico", "ingest", "livez"),
        *("map", "metrics", "openapi.json", "readyz", "robots.txt", "static", "t", "tiles", "v1"),
    )
)


def check(config: "Config") -> None:
    """Raise ConfigError for the first wrong value."""
    _check_bind("TRACKER_BIND", config.bind)
    if config.metrics_bind is not None:
        _check_bind("TRACKER_METRICS_BIND", config.metrics_bind)
        if config.metrics_bind == config.bind and not config.bind.endswith(":0"):
            raise ConfigError("TRACKER_METRICS_BIND", "is TRACKER_BIND too; choose another port, or unset it")
    _check_database_url("DATABASE_URL", config.database_url)
    _check_database_url("DATABASE_REPLICA_URL", config.database_replica_url)
    if config.database_replica_url is not None and config.database_url is None:
        why = "is set, but the embedded PostgreSQL has no replica; set DATABASE_URL too, or unset this"
        raise ConfigError("DATABASE_REPLICA_URL", why)
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
    if config.webhooks_private not in {"on", "off"}:
        raise ConfigError("TRACKER_WEBHOOKS_PRIVATE", "must be on or off")
    check_tls(config.tls_cert, config.tls_key)
    _check_proxies(config)
    _check_mqtt(config)
    _check_nats(config.nats_url)


def _check_mqtt(config: "Config") -> None:
    broker = _mqtt_address("TRACKER_MQTT_URL", config.mqtt_url)
    public = _mqtt_address("TRACKER_MQTT_PUBLIC_URL", config.mqtt_public_url)
    if public is not None and public != MqttAddress(host=public.host, port=public.port, tls=public.tls):
        why = (
            "must not contain an account or ?ca=, because phones have their own; write mqtts://broker.example"
        )
        raise ConfigError("TRACKER_MQTT_PUBLIC_URL", why)
    if public is not None and broker is None:
        raise ConfigError(
            "TRACKER_MQTT_URL", "is unset, but TRACKER_MQTT_PUBLIC_URL is set; set both, or neither"
        )
    if broker is not None and broker.ca is not None:
        _check_authority("TRACKER_MQTT_URL", broker.ca)


def _mqtt_address(name: str, url: str | None) -> MqttAddress | None:
    try:
        return None if url is None else parse_mqtt_url(url)
    except ValueError as error:
        raise ConfigError(name, str(error)) from None


def _check_nats(url: str | None) -> None:
    try:
        address = None if url is None else parse_nats_url(url)
    except ValueError as error:
        raise ConfigError("NATS_URL", str(error)) from None
    if address is not None and address.ca is not None:
        _check_authority("NATS_URL", address.ca)


def _check_authority(name: str, ca: Path) -> None:
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:
        why = f"{ca} holds no certificate in PEM format that this user may read; correct ?ca="
        raise ConfigError(name, why) from error


def _check_database_url(name: str, url: str | None) -> None:
    try:
        if url is not None:
            asyncpg_url(url)
    except ValueError as error:
        raise ConfigError(name, str(error)) from None


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


def check_tls(cert: Path | None, key: Path | None) -> None:
    """Raise ConfigError if certificate and key cannot be used."""
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


def _check_proxies(config: "Config") -> None:
    try:
        _ = config.proxies
    except ValueError as error:
        why = f"must be comma-separated CIDR ranges, such as 10.0.0.0/8,::1: {error}"
        raise ConfigError("TRACKER_TRUSTED_PROXIES", why) from None


def _check_bind(name: str, bind: str) -> None:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(name, "must be an address and a port, like 127.0.0.1:8080")
    if host != "localhost":
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            raise ConfigError(name, f"{host!r} is not an IP address") from None


def cannot_listen(name: str, address: str, error: OSError) -> ConfigError:
    """Return the error for an address and port that the system refuses, with the fix."""
    fix = _LISTEN_FIXES.get(error.errno or 0, "choose another address and port")
    return ConfigError(name, f"cannot listen on {address}: {error.strerror}; {fix}")
