"""How good the arrival times are: recorded trips go through the service's own code on a virtual clock."""

from tracker.evaluation.recorded import RecordedTrip, read_trips
from tracker.evaluation.run import evaluate
from tracker.evaluation.score import Report
from tracker.evaluation.table import print_table

__all__ = ["RecordedTrip", "Report", "evaluate", "print_table", "read_trips"]
