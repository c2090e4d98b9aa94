"""Evaluate ETA accuracy: replay recorded trips through the service's own code on a virtual clock."""

from tracker.eta.evaluation.recorded_trips import RecordedTrip, read_trips
from tracker.eta.evaluation.run import evaluate
from tracker.eta.evaluation.score import Report
from tracker.eta.evaluation.table import print_table

__all__ = ["RecordedTrip", "Report", "evaluate", "print_table", "read_trips"]
