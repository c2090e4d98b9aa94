"""Server: listening sockets, bounded connections on Hypercorn, drain on SIGTERM."""

from tracker.server.clients import MOST_DESCRIPTORS
from tracker.server.listening import BACKLOG, listen, listen_for_monitoring, url_of
from tracker.server.serving import Monitoring, serve

__all__ = [
    "BACKLOG",
    "MOST_DESCRIPTORS",
    "Monitoring",
    "listen",
    "listen_for_monitoring",
    "serve",
    "url_of",
]
