"""Routes, matrices and map matching on the extract, by Valhalla. No other package uses the engine."""

from tracker.routing.backends import require_engine
from tracker.routing.router import Router

__all__ = ["Router", "require_engine"]
