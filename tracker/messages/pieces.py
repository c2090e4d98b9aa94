"""Pieces: times, places and answers that messages of drivers and of customers share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tracker.domain.eta import Eta
from tracker.domain.geo import LonLat

AwareTime = Annotated[datetime, Meta(tz=True)]
Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # chosen by the client, said back by us


def rfc3339(at: datetime) -> str:
    """`2026-11-22T16:43:00.250Z`: UTC with milliseconds."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def rfc3339_or_none(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


class WireEta(Struct, frozen=True):
    """`Eta` of the public interface: UTC times, metres.

    Customers get `distance_m` null and whole minutes while the driver is near another customer's door, and
    where the order was open for too long. `basis` is "none" where nothing is known, with all of these null.
    """

    arrives_at: str | None
    earliest: str | None
    latest: str | None
    distance_m: float | None
    stops_before: int
    computed_at: str
    basis: Literal["route", "straight_line", "none"]
    stale: bool

    @classmethod
    def of(cls, eta: Eta) -> "WireEta":
        return cls(
            rfc3339_or_none(eta.arrives_at),
            rfc3339_or_none(eta.earliest),
            rfc3339_or_none(eta.latest),
            None if eta.distance_m is None else round(eta.distance_m, 1),
            eta.stops_before,
            rfc3339(eta.computed_at),
            eta.basis,
            eta.stale,
        )


class Position(Struct, frozen=True):
    """Where we show the driver."""

    lat: float
    lon: float
    heading: float | None
    speed: float | None
    accuracy: float | None
    recorded_at: str


class LineString(Struct, frozen=True):
    """RFC 7946; `[lon, lat]`, six decimals are 0.1 m."""

    coordinates: list[tuple[float, float]]
    type: Literal["LineString"] = "LineString"

    @classmethod
    def of(cls, line: Sequence[LonLat]) -> "LineString":
        return cls([(round(lon, 6), round(lat, 6)) for lon, lat in line])


class WirePlace(Struct, frozen=True):
    """A stop of an order; `time_zone` is the IANA name of the clock that holds there."""

    lat: float
    lon: float
    address: str | None = None
    service_s: float | None = None
    time_zone: str = "Etc/UTC"


class WirePickup(WirePlace, frozen=True):
    """Where an order is picked up; not before `ready_at`."""

    ready_at: str | None = None


class WireWindow(Struct, frozen=True):
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None


class Ping(Struct, tag="ping", tag_field="type"):
    n: Id | float | str | None = None


class Pong(Struct, tag="pong", tag_field="type"):
    n: Id | float | str | None = None
    now: str | None = None


class ErrorReply(Struct, tag="error", tag_field="type"):
    """To drivers and customers."""

    id: int | None
    code: str
    detail: str
