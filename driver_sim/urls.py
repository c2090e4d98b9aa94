"""URLs of the service."""

from urllib.parse import urlsplit, urlunsplit


def stream_uri(url: str, role: str) -> str:
    """Return the driver stream's URL: `https://host/base` -> `wss://host/base/v1/drivers/stream?role=…`."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit(
        (scheme, parts.netloc, parts.path.rstrip("/") + "/v1/drivers/stream", f"role={role}", "")
    )


def is_local(url: str) -> bool:
    """Whether the URL is a loopback address, which must bypass a configured proxy."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
