"""BusMetrics: what concerns the bus between nodes."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

LOST: Final = ("unsent", "unread")


class BusMetrics:
    """Metrics of the bus. A node without NATS_URL is alone, and its bus is always up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge(
            "tracker_bus_up", "Whether the bus between nodes is connected (1) or not (0).", registry=registry
        )
        self.up.set(1)
        self.dropped = Counter(
            "tracker_bus_messages_dropped",
            "Messages between nodes that were lost before they were sent, or before this node read them.",
            ["stage"],
            registry=registry,
        )
        for stage in LOST:
            self.dropped.labels(stage)
