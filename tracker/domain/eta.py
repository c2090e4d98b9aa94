"""ETA: when a driver arrives at a stop, with the interval that holds 80 % of arrivals."""

from datetime import datetime
from typing import Literal

import msgspec

Basis = Literal["route", "straight_line", "none"]


class Eta(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast; times are UTC. With basis `none` the times are None."""

    arrives_at: datetime | None  # the median
    earliest: datetime | None
    latest: datetime | None
    distance_m: float | None
    stops_before: int
    computed_at: datetime
    basis: Basis
    stale: bool = False
