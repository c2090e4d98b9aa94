"""URLs of the service."""

from urllib.parse import urlsplit, urlunsplit


def socket_uri(url: str, path: str, query: str = "") -> str:
    """Return the URL of a WebSocket: `https://host/base` and `/v1/…` -> `wss://host/base/v1/…?query`."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, query, ""))


def is_local(url: str) -> bool:
    """Whether the URL is a loopback address, which must bypass a configured proxy."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
