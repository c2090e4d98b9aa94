"""NATS_URL: the addresses of the servers, and the account there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

SCHEMES: Final = ("nats", "tls")
PORT: Final = 4222
EXAMPLE: Final = "nats://tracker:PASSWORD@nats.example:4222"


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


def parse_nats_url(text: str) -> NatsAddress:
    """Return the parts of comma-separated URLs, percent-decoded. Raises ValueError, which quotes no secret.

    The first account counts for all servers: those of one cluster share their accounts.
    """
    parts = [_split(url.strip()) for url in text.split(",")]
    if len({part.scheme for part in parts}) > 1:
        raise ValueError("mixes nats:// and tls://; use one of them for all servers")
    user, password, token = _account(parts)
    return NatsAddress(
        servers=tuple(f"{part.scheme}://{_host(part)}:{part.port or PORT}" for part in parts),
        tls=parts[0].scheme == "tls",
        user=user,
        password=password,
        token=token,
        ca=next((ca for part in parts if (ca := _authority(part)) is not None), None),
    )


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError("must begin with nats:// or tls://")
    if not parts.hostname or any(character.isspace() for character in url):
        raise ValueError(f"has no host, or a space in it; write it like {EXAMPLE}")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("must not contain a path or #; in a password write # as %23, / as %2F and , as %2C")
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError("has a wrong port; it must be from 1 to 65535")
    return parts


def _host(part: SplitResult) -> str:
    return f"[{part.hostname}]" if ":" in (part.hostname or "") else part.hostname or ""


def _account(parts: Sequence[SplitResult]) -> tuple[str | None, str | None, str | None]:
    """Return user, password and token; a name without a password is a token."""
    part = next((part for part in parts if part.username), None)
    if part is None:
        return None, None, None
    name = unquote(part.username or "")
    return (None, None, name) if part.password is None else (name, unquote(part.password), None)


def _authority(part: SplitResult) -> Path | None:
    query = dict(parse_qsl(part.query, keep_blank_values=True))
    ca = query.pop("ca", None)
    if query or (ca is not None and (not ca or part.scheme == "nats")):
        raise ValueError("takes only ?ca=FILE after tls://…, the certificate authority in PEM format")
    return None if ca is None else Path(ca)
