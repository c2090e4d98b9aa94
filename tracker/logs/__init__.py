"""Logs: one structured line for each event, without personal data or secrets."""

from tracker.logs.output import flushing, outline, set_up

__all__ = ["flushing", "outline", "set_up"]
