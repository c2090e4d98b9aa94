"""The URLs of message brokers, MQTT and NATS: their parts, checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
NATS_PORTS: Final = {"nats": 4222, "tls": 4222}
MQTT_EXAMPLE: Final = "mqtts://tracker:PASSWORD@broker.example"
NATS_EXAMPLE: Final = "nats://tracker:PASSWORD@nats.example:4222"


class MqttAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A broker, and the account there."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None
    ca: Path | None = None  # PEM file of the authority that signed the certificate; None: the system's

    def __str__(self) -> str:
        """Return host and port, without the account."""
        return f"{self.host}:{self.port}"


class NatsAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The servers of one NATS cluster, tried in random order, and the account there."""

    servers: tuple[str, ...]  # scheme, host and port of each
    tls: bool
    user: str | None = None
    password: str | None = None
    token: str | None = None
    ca: Path | None = None  # PEM file of the authority that signed the certificates; None: the system's

    def __str__(self) -> str:
        """Return hosts and ports, without the account."""
        return ", ".join(urlsplit(server).netloc for server in self.servers)


class _Url(msgspec.Struct, frozen=True, kw_only=True):
    """One broker's URL, percent-decoded. An IPv6 address as host has no brackets."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    ca: Path | None


def parse_mqtt_url(text: str) -> MqttAddress:
    """Return the parts of TRACKER_MQTT_URL. Raises ValueError, which quotes no secret."""
    url = _parse(text, MQTT_PORTS, MQTT_EXAMPLE)
    return MqttAddress(
        host=url.host,
        port=url.port,
        tls=url.scheme == "mqtts",
        username=url.user,
        password=url.password,
        ca=url.ca,
    )


def parse_nats_url(text: str) -> NatsAddress:
    """Return the parts of the comma-separated URLs in NATS_URL. Raises ValueError, which quotes no secret.

    The first account counts for all servers: those of one cluster share their accounts.
    """
    urls = [_parse(url.strip(), NATS_PORTS, NATS_EXAMPLE) for url in text.split(",")]
    if len({url.scheme for url in urls}) > 1:
        raise ValueError("mixes nats:// and tls://; use one of them for all servers")
    user, password, token = _account(urls)
    return NatsAddress(
        servers=tuple(f"{url.scheme}://{_in_url(url.host)}:{url.port}" for url in urls),
        tls=urls[0].scheme == "tls",
        user=user,
        password=password,
        token=token,
        ca=next((url.ca for url in urls if url.ca is not None), None),
    )


def _account(urls: Sequence[_Url]) -> tuple[str | None, str | None, str | None]:
    """Return user, password and token; a name without a password is a token."""
    url = next((url for url in urls if url.user), None)
    if url is None:
        return None, None, None
    return (None, None, url.user) if url.password is None else (url.user, url.password, None)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parse(text: str, ports: dict[str, int], example: str) -> _Url:
    """Return the parts of one URL. *ports* has the scheme without TLS first, then the one with TLS."""
    parts = urlsplit(text)
    plain, secure = ports
    if parts.scheme not in ports:
        raise ValueError(f"must begin with {plain}:// or {secure}://")
    if not parts.hostname or any(character.isspace() for character in text):
        raise ValueError(f"has no host, or a space in it; write it like {example}")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("must not contain a path or #; in a password write # as %23, / as %2F and , as %2C")
    return _Url(
        scheme=parts.scheme,
        host=parts.hostname,
        port=_port(parts, ports[parts.scheme]),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        ca=_authority(parts, secure),
    )


def _port(parts: SplitResult, default: int) -> int:
    try:
        port = default if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("has a wrong port; it must be from 1 to 65535")
    return port


def _authority(parts: SplitResult, secure: str) -> Path | None:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca = query.pop("ca", None)
    if query or (ca is not None and (not ca or parts.scheme != secure)):
        raise ValueError(
            f"takes only ?ca=FILE after {secure}://…, the broker's certificate authority in PEM format"
        )
    return None if ca is None else Path(ca)
