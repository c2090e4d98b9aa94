"""Metrics: what one node counts and measures, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
_ETA_ERROR = (15, 30, 60, 90, 120, 180, 300, 600, 1200)  # seconds


class Metrics:
    """One registry for each app, so that two apps in a process do not count for each other."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.fixes = Counter(
            "tracker_fixes", "Fixes received, by what became of them", ["result"], registry=registry
        )
        self.fix_to_send = Histogram(
            "tracker_fix_to_send_seconds",
            "From a fix to its update on a customer's socket",
            buckets=_FAST,
            registry=registry,
        )
        self.commit = Histogram(
            "tracker_commit_seconds", "From a fix to its commit", buckets=_FAST, registry=registry
        )
        self._of_forecasts()
        self.milestones = Counter(
            "tracker_milestones", "What positions showed of orders", ["kind"], registry=registry
        )
        self.stuck_orders = Counter(
            "tracker_orders_stuck", "Orders that stayed open for too long", registry=registry
        )
        self.subscribers = Gauge("tracker_subscribers", "Customers watching now", registry=registry)
        self.drivers = Gauge("tracker_drivers_online", "Drivers connected now", registry=registry)
        self.stray_fixes = Gauge(
            "tracker_default_partition_fixes",
            "Fixes whose day has no partition: should be 0",
            registry=registry,
        )

    def _of_forecasts(self) -> None:
        registry = self.registry
        self.router_up = Gauge(
            "tracker_router_up",
            "0 while the router is left alone after failures in a row",
            registry=registry,
        )
        self.eta_error = Histogram(
            "tracker_eta_error_seconds",
            "How far the first forecast after the pickup was off",
            buckets=_ETA_ERROR,
            registry=registry,
        )
        self.forecasts = Counter(
            "tracker_eta_forecasts",
            "Forecasts that were shown, by what became of their record",
            ["result"],
            registry=registry,
        )
        self.lessons = Counter(
            "tracker_eta_lessons",
            "What reaching stops taught, by what became of it",
            ["result"],
            registry=registry,
        )
        self.arrivals_learned = Gauge(
            "tracker_eta_arrivals_learned", "Arrivals that the forecasts rest on", registry=registry
        )

    def count_fixes(self, stored: int, duplicates: int, rejected: int) -> None:
        """One message's."""
        for result, count in (("stored", stored), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self.fixes.labels(result).inc(count)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
