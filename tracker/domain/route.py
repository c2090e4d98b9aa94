"""Route: the planned path through a trip's stops, and where on it the driver is."""


import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.order import StopKind


class Stop(msgspec.Struct, frozen=True):
    """A place to be served."""

    order_id: str
    kind: StopKind
    at: LonLat
    service_s: float = 0.0  # seconds


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A piece of street on a leg, `line[begin]` to `line[end]`."""

    begin: int
    end: int
    length_m: float
    duration_s: float  # the router's
    road_class: str  # as the engine names it: primary, residential, footway, …
    signal: bool  # traffic lights at its end


class Leg(msgspec.Struct, frozen=True):
    """The way from one stop to the next, as the router gave it."""

    line: tuple[LonLat, ...]  # at least two places
    distance_m: float
    duration_s: float
    edges: tuple[Edge, ...] = ()


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Where on a route somebody is."""

    along_m: float  # metres from the route's beginning
    offset_m: float  # metres from the line
    at: LonLat  # the nearest place on the line
    heading: float  # degrees, of the line there
