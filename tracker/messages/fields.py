"""Fields and messages that drivers and customers share: times, places, ETAs, errors."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tracker.domain.eta.estimate import Eta
from tracker.domain.geo import LonLat
from tracker.domain.order import Precision

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]  # made by `rfc3339`
Uri = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
AwareTime = Annotated[datetime, Meta(tz=True)]
Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # chosen by the client; replies repeat it


def rfc3339(at: datetime) -> str:
    """Format a time in UTC with milliseconds: `2026-11-22T16:43:00.250Z`."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def rfc3339_or_none(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


class WireEta(Struct, frozen=True):
    """A forecast arrival.

    Customers get whole minutes and a null `distance_m` while the driver is near another customer's door. The
    same holds if the order has been open for too long. If nothing is known, `basis` is "none" and the times
    are null.
    """

    arrives_at: Time | None
    """Forecast arrival at the dropoff: the median. Null if nothing is known."""
    earliest: Time | None
    """Start of the interval that contains the arrival in 80 % of cases."""
    latest: Time | None
    """End of that interval."""
    distance_m: float | None
    """Metres still to drive. Null if unknown, or hidden from the customer."""
    stops_before: int
    """Stops of other orders that the driver serves first."""
    computed_at: Time
    """When this estimate was made."""
    basis: Literal["route", "straight_line", "none"]
    """What the estimate rests on: a route on streets, a straight line, or nothing."""
    stale: bool
    """Whether the positions behind it are too old to trust."""

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
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    heading: float | None
    """Direction of travel in degrees clockwise from true north, 0 <= heading < 360. Null if unknown."""
    speed: float | None
    """Metres per second. Null if unknown."""
    accuracy: float | None
    """Radius in metres around the true place. Null if unknown."""
    recorded_at: Time
    """When the device measured it."""


class LineString(Struct, frozen=True):
    """A GeoJSON line (RFC 7946). Coordinates have six decimals, 0.1 m."""

    coordinates: list[tuple[float, float]]
    """Pairs of [lon, lat] in degrees, in the direction of travel."""
    type: Literal["LineString"] = "LineString"
    """GeoJSON type."""

    @classmethod
    def of(cls, line: Sequence[LonLat]) -> "LineString":
        return cls([(round(lon, 6), round(lat, 6)) for lon, lat in line])


class WirePlace(Struct, frozen=True):
    """A stop of an order."""

    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    address: str | None = None
    """Address as people write it. Null if not given."""
    service_s: float | None = None
    """Seconds that the driver needs there. Null if not given."""
    time_zone: str = "Etc/UTC"
    """IANA time zone of the place, such as Europe/Helsinki."""
    precision: Precision = "exact"
    """`exact`: the merchant gave coordinates. Otherwise what the address gave: `house`, `street`, `place`."""


class WirePickup(WirePlace, frozen=True):
    """The pickup of an order."""

    ready_at: Time | None = None
    """The order cannot be picked up before this time. Null if not given."""


class WireWindow(Struct, frozen=True):
    from_: Time | None = msgspec.field(name="from", default=None)
    """The customer expects the delivery from this time on."""
    to: Time | None = None
    """The customer expects the delivery until this time."""


class Ping(Struct, tag="ping", tag_field="type"):
    n: Id | float | str | None = None
    """Any number or text; the answer repeats it."""


class Pong(Struct, tag="pong", tag_field="type"):
    n: Id | float | str | None = None
    """The ping's number or text."""
    now: Time | None = None
    """The server's clock."""


class ErrorReply(Struct, tag="error", tag_field="type"):
    """An error, to drivers and customers."""

    id: int | None
    """Id of the refused message. Null if it could not be read."""
    code: str
    """Machine-readable error, such as `forbidden_transition`."""
    detail: str
    """What is wrong, as text for developers."""
