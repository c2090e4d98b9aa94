"""Metrics of one node, in the Prometheus text format. docs/metrics.md lists them."""

from tracker.metrics.http import HttpMetrics
from tracker.metrics.node import Metrics, begin_at_zero

__all__ = ["HttpMetrics", "Metrics", "begin_at_zero"]
