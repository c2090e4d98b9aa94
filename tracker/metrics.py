"""Metrics of one node, in the Prometheus text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
_ETA_ERROR = (15, 30, 60, 90, 120, 180, 300, 600, 1200)  # seconds


class Metrics:
    """The metrics of one app. Each app has its own registry, so that two apps in a process stay separate."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.fixes = Counter("tracker_fixes", "Fixes received, by result.", ["result"], registry=registry)
        self.fix_to_send = Histogram(
            "tracker_fix_to_send_seconds",
            "Seconds from receiving a fix to sending its update to a customer.",
            buckets=_FAST,
            registry=registry,
        )
        self.commit = Histogram(
            "tracker_commit_seconds",
            "Seconds from receiving a fix to its commit.",
            buckets=_FAST,
            registry=registry,
        )
        self._of_forecasts()
        self.milestones = Counter(
            "tracker_milestones", "Milestones detected from positions, by kind.", ["kind"], registry=registry
        )
        self.stuck_orders = Counter(
            "tracker_orders_stuck",
            "Orders flagged as stuck because they stayed open for too long.",
            registry=registry,
        )
        self.subscribers = Gauge("tracker_subscribers", "Live views open now.", registry=registry)
        self.drivers = Gauge("tracker_drivers_online", "Drivers connected now.", registry=registry)
        self.stray_fixes = Gauge(
            "tracker_default_partition_fixes",
            "Fixes stored without a partition for their day; should be 0.",
            registry=registry,
        )

    def _of_forecasts(self) -> None:
        registry = self.registry
        self.router_up = Gauge(
            "tracker_router_up",
            "Whether the router is available (1) or not (0).",
            registry=registry,
        )
        self.eta_error = Histogram(
            "tracker_eta_error_seconds",
            "Absolute error in seconds of the first forecast after the pickup.",
            buckets=_ETA_ERROR,
            registry=registry,
        )
        self.forecasts = Counter(
            "tracker_eta_forecasts",
            "Forecasts sent to customers, by what happened to their record.",
            ["result"],
            registry=registry,
        )
        self.arrival_samples = Counter(
            "tracker_eta_lessons",
            "Arrival samples, by what happened to them.",
            ["result"],
            registry=registry,
        )
        self.arrivals_learned = Gauge(
            "tracker_eta_arrivals_learned", "Arrivals that the ETA model is trained on.", registry=registry
        )

    def count_fixes(self, stored: int, duplicates: int, rejected: int) -> None:
        """Count the fixes of one message by result."""
        for result, count in (("stored", stored), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self.fixes.labels(result).inc(count)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)
