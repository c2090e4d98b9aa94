"""What phone apps send, as the OpenAPI document shows it. The parsers take more: see docs/phones.md."""

from typing import Any, Literal

import msgspec

from tracker.phone_apps.values import SpeedUnit


class OwnTracksMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message of OwnTracks. Only a `location` is stored; the others are counted."""

    type: str = msgspec.field(name="_type")
    """`location`, or another of the app's types."""
    tst: int | None = None
    """When the position was measured, in seconds since 1970."""
    lat: float | None = None
    """Degrees north."""
    lon: float | None = None
    """Degrees east."""
    acc: float | None = None
    """Accuracy in metres."""
    alt: float | None = None
    """Altitude in metres."""
    vel: float | None = None
    """Speed in km/h, unless `speed_unit` says otherwise. 0 stands for unknown, too."""
    cog: float | None = None
    """Course in degrees."""
    batt: float | None = None
    """Battery in percent."""


class OverlandPoint(msgspec.Struct, frozen=True):
    """A GeoJSON point."""

    coordinates: list[float]
    """Longitude and latitude, in this order."""
    type: Literal["Point"] = "Point"
    """The only type of geometry that is stored."""


class OverlandProperties(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured at the point. A negative number stands for unknown."""

    timestamp: str
    """When, in ISO 8601."""
    horizontal_accuracy: float | None = None
    """Accuracy in metres."""
    speed: float | None = None
    """Metres per second."""
    course: float | None = None
    """Degrees clockwise from true north."""
    altitude: float | None = None
    """Metres."""
    battery_level: float | None = None
    """0 to 1; more than 1 is taken as percent."""


class OverlandFeature(msgspec.Struct, frozen=True):
    """A position. Features with an `action` or a `type` in their properties are counted and not stored."""

    geometry: OverlandPoint
    """Where."""
    properties: OverlandProperties
    """What was measured."""
    type: Literal["Feature"] = "Feature"
    """The type that GeoJSON requires."""


class OverlandBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """A batch of positions, at most 8 MB."""

    locations: list[OverlandFeature]
    """The oldest positions in the app's queue."""
    current: OverlandFeature | None = None
    """The newest position, where the queue is longer than the batch. It is shown at once."""


class OverlandReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer that makes the app delete the batch."""

    result: Literal["ok"]
    """Always `ok`."""
    set: dict[str, Any] | None = None
    """Settings for the app, when the interval at which it should report has changed."""


class TraccarPosition(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A position, as Traccar's own API shows it."""

    fix_time: str
    """When the position was measured, in ISO 8601."""
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""
    speed: float | None = None
    """Speed in knots."""
    course: float | None = None
    """Degrees clockwise from true north."""
    altitude: float | None = None
    """Metres."""
    accuracy: float | None = None
    """Metres; 0 stands for unknown."""
    attributes: dict[str, Any] | None = None
    """Of these, `batteryLevel` in percent is stored."""


class TraccarDevice(msgspec.Struct, frozen=True, rename="camel"):
    """A device, as Traccar's own API shows it."""

    unique_id: str
    """The device's identifier: the `reference` of its driver."""


class ForwardedPosition(msgspec.Struct, frozen=True):
    """A position that a Traccar server forwards."""

    position: TraccarPosition
    """Where the device was."""
    device: TraccarDevice
    """Which device it was."""


class SpeedQuery(msgspec.Struct, frozen=True):
    """Query string of apps whose unit of speed cannot be known."""

    speed_unit: SpeedUnit | None = None
    """Unit of the speed: knots, km/h or m/s."""


class OsmAndQuery(msgspec.Struct, frozen=True):
    """A position in a query string or a form. Without `lat` and `lon` it is a heartbeat."""

    lat: float | None = None
    """Degrees north."""
    lon: float | None = None
    """Degrees east."""
    timestamp: str | None = None
    """When the position was measured: seconds or milliseconds since 1970, or ISO 8601. Default: now."""
    speed: float | None = None
    """Speed, by default in knots."""
    speed_unit: SpeedUnit | None = None
    """Unit of `speed`: knots, km/h or m/s."""
    bearing: float | None = None
    """Degrees clockwise from true north."""
    altitude: float | None = None
    """Metres."""
    accuracy: float | None = None
    """Metres."""
    batt: float | None = None
    """Battery in percent."""
    eta: int | None = None
    """Arrival at the destination, in milliseconds since 1970; 0 without a route."""
    etfa: int | None = None
    """Arrival at the next stop on the way, in milliseconds since 1970; 0 without one."""
    id: str | None = None
    """Identifier of the device: the driver's token, unless it is given in another place."""
