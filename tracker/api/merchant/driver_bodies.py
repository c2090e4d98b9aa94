"""Request bodies of drivers and their stops, with their limits."""

from typing import Annotated, ClassVar, Final

from msgspec import UNSET, Meta, UnsetType

from tracker.api.json_bodies import Id, RequestBody, apply_changes
from tracker.domain.order import Driver, StopKind, Vehicle
from tracker.messages.allowed_values import PHRASE

STOPS_BYTES: Final = 131_072  # of a body with 1,000 stops

DriverName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="The driver's name. Customers read the first name only, without titles.",
        examples=["Dr. Anna Schmidt"],
        extra={PHRASE: "text of 1 to 200 characters that are not all spaces"},
    ),
]
DisplayName = Annotated[
    str,
    Meta(
        max_length=200,
        description="What customers read in place of the first name: its first 20 characters. "
        "An e-mail address or a phone number is never shown; the first name is shown then.",
        examples=["Anna S."],
    ),
]
DriverReference = Annotated[
    str,
    Meta(max_length=200, description="The merchant's own number of the driver.", examples=["D-17"]),
]


class NewDriver(RequestBody, frozen=True, kw_only=True):
    name: DriverName
    vehicle: Vehicle
    """What the driver uses; routes and forecasts depend on it."""
    reference: DriverReference | None = None
    display_name: DisplayName | None = None


class DriverChangeBody(RequestBody, frozen=True, kw_only=True):
    """Changes to a driver (RFC 7396); null removes the display name or the reference."""

    name: DriverName | UnsetType = UNSET
    """The driver's name."""
    vehicle: Vehicle | UnsetType = UNSET
    """What the driver uses."""
    reference: DriverReference | UnsetType | None = UNSET
    """The merchant's own number of the driver; null removes it."""
    display_name: DisplayName | UnsetType | None = UNSET
    """What customers read in place of the first name; null removes it."""

    def edit(self, driver: Driver) -> Driver:
        """Return the driver with these changes."""
        return apply_changes(driver, self)


class DutyBody(RequestBody, frozen=True, kw_only=True):
    """Whether a driver works."""

    on: bool
    """Whether the driver is on duty. Off duty, the service discards their positions."""
    on_break: bool = False
    """Whether the driver takes a break, on duty: customers don't see the position, the forecast stays."""


class StopBody(RequestBody, frozen=True, kw_only=True):
    order_id: Id
    """Id of the order."""
    kind: StopKind
    """What happens there."""


class StopsBody(RequestBody, frozen=True, kw_only=True):
    """Every remaining stop once, in the sequence in which the driver is to serve them."""

    body_bytes: ClassVar[int] = STOPS_BYTES

    stops: Annotated[list[StopBody], Meta(max_length=1_000)]
    """Every remaining stop once, in the sequence of serving."""
