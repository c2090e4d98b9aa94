"""TRACKER_MQTT_URL and TRACKER_MQTT_PUBLIC_URL: the parts of a broker's address."""

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
EXAMPLE: Final = "mqtts://tracker:PASSWORD@broker.example"


class MqttAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A broker, and the account there."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None
    ca: Path | None = (
        None  # PEM file of the authority that signed the broker's certificate; None: the system's
    )

    def __str__(self) -> str:
        """Return host and port, without the account."""
        return f"{self.host}:{self.port}"


def parse_mqtt_url(url: str) -> MqttAddress:
    """Return the parts of a broker's URL, percent-decoded. Raises ValueError, which quotes no secret."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("must begin with mqtt:// or mqtts://")
    if not parts.hostname or any(character.isspace() for character in url):
        raise ValueError(f"has no host, or a space in it; write it like {EXAMPLE}")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("must not contain a path or #; in a password write # as %23 and / as %2F")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca = query.pop("ca", None)
    if query or (ca is not None and (not ca or parts.scheme == "mqtt")):
        raise ValueError(
            "takes only ?ca=FILE after mqtts://…, the broker's certificate authority in PEM format"
        )
    try:
        port = PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        raise ValueError("has a wrong port; it must be from 1 to 65535") from None
    if port == 0:
        raise ValueError("has a wrong port; it must be from 1 to 65535")
    return MqttAddress(
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "mqtts",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        ca=None if ca is None else Path(ca),
    )
