"""ReplicaMetrics: where reads of the past went."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

FALLBACKS: Final = ("unusable", "behind", "conflict", "failed")


class ReplicaMetrics:
    """Metrics of DATABASE_REPLICA_URL. Without it all reads go to the primary."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge(
            "tracker_replica_up",
            "Whether reads of the past may use the replica (1) or not (0).",
            registry=registry,
        )
        self.lag = Gauge(
            "tracker_replica_lag_seconds",
            "Seconds that the replica is behind, to the nearest 1.5.",
            registry=registry,
        )
        self.reads = Counter(
            "tracker_replica_reads", "Requests for the past that the replica answered.", registry=registry
        )
        self.fallbacks = Counter(
            "tracker_replica_fallbacks",
            "Requests for the past that went to the primary although there is a replica, by reason.",
            ["reason"],
            registry=registry,
        )
        for reason in FALLBACKS:
            self.fallbacks.labels(reason)
