"""Metrics of requests and sockets. Labels are route templates, never paths, so the series are bounded."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_ANSWER_S: Final = (0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0)  # seconds; few, for each route has its own
# Close codes of the public interface. Whatever else a peer sends counts as OTHER_CODE.
CLOSE_CODES: Final = frozenset(
    {1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1012}
    | {4000, 4001, 4003, 4008, 4009, 4010, 4011, 4029, 4100, 4101, 4102, 4103, 4104}
)
OTHER_CODE: Final = "other"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "other"
REFUSALS: Final = ("descriptors", "memory")


class HttpMetrics:
    """Counts of answers by route, method and status, and of closed sockets by route and code."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "tracker_http_requests",
            "Answers to HTTP requests and to refused WebSocket handshakes, by route template.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "tracker_http_request_seconds",
            "Seconds from the head of an HTTP request to the begin of its answer.",
            ["route", "method"],
            buckets=_ANSWER_S,
            registry=registry,
        )
        self._closes = Counter(
            "tracker_websocket_closes",
            "WebSockets that ended, by route template and close code; 1006 without a close frame.",
            ["route", "code"],
            registry=registry,
        )
        self.connections = Gauge(
            "tracker_connections", "TCP connections of clients open now.", registry=registry
        )
        self.refused = Counter(
            "tracker_connections_refused",
            "Connections refused because the node lacks file descriptors or memory.",
            ["reason"],
            registry=registry,
        )
        for reason in REFUSALS:
            self.refused.labels(reason)
        # `labels()` takes 2 us, for its lock and its checks; this look-up takes 0.1.
        self._by_status: dict[tuple[str, str, int], Counter] = {}
        self._by_route: dict[tuple[str, str], Histogram] = {}

    def declare(self, route: str, methods: Iterable[str], status: int) -> None:
        """Begin the counts of a route at 0: its methods, and their usual status.

        Its histogram begins with its first answer: all of them at 0 were two thirds of each scrape.
        """
        for method in methods:
            self._counter(route, method, status)

    def declare_socket(self, route: str) -> None:
        """Begin the series of a WebSocket at 0: one for each close code."""
        for code in (*sorted(CLOSE_CODES), OTHER_CODE):
            self._closes.labels(route, code)

    def count_answer(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer and the time to it."""
        method = method if method in METHODS else OTHER_METHOD
        self._counter(route, method, status).inc()
        self._histogram(route, method).observe(seconds)

    def count_refused_handshake(self, route: str, status: int) -> None:
        self._counter(route, "GET", status).inc()

    def count_close(self, route: str, code: int) -> None:
        self._closes.labels(route, code if code in CLOSE_CODES else OTHER_CODE).inc()

    def _counter(self, route: str, method: str, status: int) -> Counter:
        key = route, method, status
        found = self._by_status.get(key)
        if found is None:
            found = self._by_status[key] = self._requests.labels(route, method, status)
        return found

    def _histogram(self, route: str, method: str) -> Histogram:
        found = self._by_route.get((route, method))
        if found is None:
            found = self._by_route[route, method] = self._seconds.labels(route, method)
        return found
