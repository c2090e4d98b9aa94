"""The listening sockets: the public one, and a second one for monitoring."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tracker.config import Config, cannot_listen, host_and_port

SEND_BUFFER: Final = 65_536  # bytes in the kernel for one client; a larger buffer would hide a backlog
DEAD_PEER: Final = 30_000  # milliseconds until unacknowledged bytes end a connection
BACKLOG: Final = 2_048


def listen(config: Config, *, shared: bool = False) -> socket.socket:
    """Open the listening socket; *shared* with other processes or alone. Raises ConfigError if it cannot."""
    return _listening("TRACKER_BIND", config.bind, shared=shared)


@contextmanager
def listen_for_monitoring(config: Config) -> Iterator[socket.socket | None]:
    """Open the second listening socket during the block, if one is set. Raises ConfigError."""
    if config.metrics_bind is None:
        yield None
    else:
        with _listening("TRACKER_METRICS_BIND", config.metrics_bind) as listening:
            yield listening


def _listening(setting: str, bind: str, *, shared: bool = False) -> socket.socket:
    host, port = host_and_port(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit all of these
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise cannot_listen(setting, bind, error) from error
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket, config: Config) -> str:
    """Return the URL of the listener, without a slash at the end."""
    scheme = "http" if config.tls_cert is None else "https"
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
