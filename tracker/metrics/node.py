"""The metrics of a node, and the registry that all of them share."""

import platform
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from tracker.metrics.bus import BusMetrics
from tracker.metrics.http import HttpMetrics
from tracker.metrics.process import ProcessMetrics
from tracker.metrics.replica import ReplicaMetrics

_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
_WEBHOOK_DELAY: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 300.0, 3_600.0)  # seconds
_ETA_ERROR: Final = (15, 30, 60, 90, 120, 180, 300, 600, 1200)  # seconds
FIX_RESULTS: Final = ("stored", "duplicate", "rejected", "discarded")
NOT_READY: Final = ("draining", "database", "lag")
PHONE_FORMATS: Final = ("owntracks", "osmand", "overland", "traccar", "mqtt")
PHONE_KINDS: Final = (
    *("fix", "heartbeat", "other", "encrypted", "empty", "unreadable", "too_large", "prefetch"),
    *("unknown_device", "unknown_driver", "over_rate", "last_will"),
)
DEGRADED: Final = ("router", "basemap", "addresses", "default_partition", "mqtt", "bus", "replica")


disable_created_metrics()  # type: ignore[no-untyped-call]  # else a line more for each series, which Prometheus does not need


class Metrics:
    """The metrics of one app. Each app has its own registry, so that two apps in a process stay separate."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.http = HttpMetrics(self.registry)
        self.process = ProcessMetrics(self.registry)
        self.bus = BusMetrics(self.registry)
        self.replica = ReplicaMetrics(self.registry)
        self._of_fixes()
        self._of_forecasts()
        self._of_orders()
        self._of_webhooks()
        self._of_clients()
        self._of_node()
        self._of_state()

    def _of_fixes(self) -> None:
        registry = self.registry
        self.fixes = Counter("tracker_fixes", "Fixes received, by result.", ["result"], registry=registry)
        # Kept, because `labels` costs as much as counting, for each message of a driver.
        self._by_result = {name: self.fixes.labels(name) for name in FIX_RESULTS}
        self.rejections = Counter(
            "tracker_fixes_rejected",
            "Fixes that are not stored, by the reason in the driver's acknowledgement.",
            ["reason"],
            registry=registry,
        )
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
        phone_messages = Counter(
            "tracker_phone_messages",
            "Messages of phone apps, by format and kind. Only a fix is stored.",
            ["format", "kind"],
            registry=registry,
        )
        # `labels()` takes 2 us, for its lock and its checks; this look-up takes 0.1.
        self._by_message = {
            (format_, kind): phone_messages.labels(format_, kind)
            for format_ in PHONE_FORMATS
            for kind in PHONE_KINDS
        }
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
        begin_at_zero(self.forecasts, ("stored", "dropped"))
        self.arrival_samples = Counter(
            "tracker_eta_lessons",
            "Arrival samples, by what happened to them.",
            ["result"],
            registry=registry,
        )
        begin_at_zero(self.arrival_samples, ("learned", "dropped"))
        self.arrivals_learned = Gauge(
            "tracker_eta_arrivals_learned", "Arrivals that the ETA model is trained on.", registry=registry
        )

    def _of_orders(self) -> None:
        registry = self.registry
        self.milestones = Counter(
            "tracker_milestones", "Milestones detected from positions, by kind.", ["kind"], registry=registry
        )
        self.stuck_orders = Counter(
            "tracker_orders_stuck",
            "Orders flagged as stuck because they stayed open for too long.",
            registry=registry,
        )

    def _of_webhooks(self) -> None:
        registry = self.registry
        self.webhook_deliveries = Counter(
            "tracker_webhook_deliveries",
            "Attempts to send an event to a webhook, by result; dead: given up.",
            ["result"],
            registry=registry,
        )
        begin_at_zero(self.webhook_deliveries, ("delivered", "retried", "dead"))
        self.webhook_delay = Histogram(
            "tracker_webhook_delay_seconds",
            "Seconds from writing an event to an attempt to send it.",
            buckets=_WEBHOOK_DELAY,
            registry=registry,
        )
        self.webhook_unsent = Gauge(
            "tracker_webhook_unsent", "Deliveries that are not sent yet, of all nodes.", registry=registry
        )
        self.webhook_dead = Gauge(
            "tracker_webhook_dead",
            "Deliveries that were given up and not sent again, of all nodes.",
            registry=registry,
        )
        self.webhook_oldest = Gauge(
            "tracker_webhook_oldest_unsent_seconds",
            "Age in seconds of the oldest event not sent to a webhook; 0 if there is none.",
            registry=registry,
        )

    def _of_clients(self) -> None:
        registry = self.registry
        self.subscribers = Gauge("tracker_subscribers", "Live views open now.", registry=registry)
        self.drivers = Gauge("tracker_drivers_online", "Drivers connected now.", registry=registry)
        self.drivers_silent = Gauge(
            "tracker_drivers_silent",
            "Drivers on duty with an open order who send no positions, by likely reason.",
            ["reason"],
            registry=registry,
        )
        self.drivers_battery_low = Gauge(
            "tracker_drivers_battery_low",
            "Drivers on duty with an open order whose battery is low and not charging.",
            registry=registry,
        )
        self.tiles = Counter(
            "tracker_tiles",
            "Vector tiles of the map that were asked for, by result.",
            ["result"],
            registry=registry,
        )
        begin_at_zero(self.tiles, ("sent", "empty"))

    def _of_node(self) -> None:
        """Register what `set_function` reads when Prometheus scrapes."""
        registry = self.registry
        self.queue_fixes = Gauge(
            "tracker_recorder_queue_fixes", "Fixes that wait for their commit.", registry=registry
        )
        self.queue_age = Gauge(
            "tracker_recorder_queue_age_seconds",
            "Seconds since the first fix came that is not committed; 0 if none waits.",
            registry=registry,
        )
        self.disk_free = Gauge(
            "tracker_data_dir_free_bytes",
            "Bytes that the service can still write to the file system of TRACKER_DATA_DIR.",
            registry=registry,
        )
        self.disk_size = Gauge(
            "tracker_data_dir_size_bytes",
            "Size in bytes of the file system of TRACKER_DATA_DIR.",
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "tracker_tls_certificate_expiry_timestamp_seconds",
            "When the certificate of TRACKER_TLS_CERT expires, in seconds since 1970; 0 without one.",
            registry=registry,
        )

    def _of_state(self) -> None:
        """Register what the `set_` methods write."""
        registry = self.registry
        self._info = Gauge(
            "tracker_build_info",
            "Always 1; the labels are the versions of the service and of Python.",
            ["version", "python"],
            registry=registry,
        )
        self._not_ready = Gauge(
            "tracker_not_ready",
            "Whether this keeps the node from being ready (1) or not (0), as in /readyz.",
            ["reason"],
            registry=registry,
        )
        self._degraded = Gauge(
            "tracker_degraded",
            "Whether the node serves without this part (1) or not (0), as in /readyz.",
            ["part"],
            registry=registry,
        )
        self._connections = Gauge(
            "tracker_database_connections",
            "Connections to the database, by pool (api, ingest, replica) and state (used, idle).",
            ["pool", "state"],
            registry=registry,
        )
        self._waiting = Gauge(
            "tracker_database_waiting",
            "Tasks that wait for a connection to the database, by pool.",
            ["pool"],
            registry=registry,
        )

    def set_version(self, version: str) -> None:
        self._info.labels(version, platform.python_version()).set(1)

    def set_health(self, not_ready: Iterable[str], degraded: Iterable[str]) -> None:
        """Report why the node is not ready and which parts it serves without."""
        for gauge, names, found in (
            (self._not_ready, NOT_READY, set(not_ready)),
            (self._degraded, DEGRADED, set(degraded)),
        ):
            for name in names:
                gauge.labels(name).set(name in found)

    def set_pool(self, pool: str, *, used: int, idle: int, waiting: int) -> None:
        self._connections.labels(pool, "used").set(used)
        self._connections.labels(pool, "idle").set(idle)
        self._waiting.labels(pool).set(waiting)

    def count_fixes(self, stored: int, duplicates: int, rejected: Sequence[str], discarded: int = 0) -> None:
        """Count the fixes of one message by result, and the rejected ones by reason."""
        for reason in rejected:
            self.rejections.labels(reason).inc()
        counts = stored, duplicates, len(rejected), discarded
        for result, count in zip(FIX_RESULTS, counts, strict=True):
            if count:
                self._by_result[result].inc(count)

    def count_messages(self, format_: str, kind: str, count: int) -> None:
        """Count the messages of a phone app."""
        self._by_message[format_, kind].inc(count)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)


def begin_at_zero(metric: Counter | Gauge, values: Iterable[str]) -> None:
    """Begin the series of each label value at 0: a rate needs a value before the first event."""
    for value in values:
        metric.labels(value)
