"""Routes through places on the extract, by Valhalla. The only room that knows the engine."""

from tracker.routing.router import Router

__all__ = ["Router"]
