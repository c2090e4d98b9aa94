"""Query strings of the lists of orders and drivers, and of tracks."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tracker.api.json_bodies import Id, ShortText
from tracker.api.merchant.driver_bodies import DriverReference
from tracker.api.pagination import PageQuery
from tracker.database.orders import OrderFilter
from tracker.domain.order import OrderStatus
from tracker.errors import FieldError, InvalidFields
from tracker.messages import AwareTime

BBOX_RULE: Final = "must be west,south,east,north in degrees with south <= north, such as 24.9,60.1,25.0,60.2"


class DriverQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of a list of drivers."""

    reference: DriverReference | None = None
    """Drivers with this number of the merchant's."""


class OrderQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filter of a list of orders."""

    status: str | None = None
    """Orders with this status; several with commas."""
    driver_id: Id | None = None
    """Orders of this driver."""
    reference: ShortText | None = None
    """Orders with this number of the merchant's."""
    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Orders created at or after this time."""
    to: AwareTime | None = None
    """Orders created before this time."""
    bbox: str | None = None
    """Orders whose dropoff lies in west,south,east,north, in degrees."""

    def filter(self) -> OrderFilter:
        """Return the filter. Raises InvalidFields for an unknown status or a malformed box."""
        return OrderFilter(
            status=None if self.status is None else _statuses(self.status),
            driver_id=self.driver_id,
            reference=self.reference,
            created_from=self.from_,
            created_to=self.to,
            bbox=None if self.bbox is None else parse_bbox(self.bbox),
        )


class TrackQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part and accuracy of a track. `limit` and `cursor` count for `.json` only, which comes in pages."""

    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Fixes recorded at or after this time."""
    to: AwareTime | None = None
    """Fixes recorded before this time."""
    simplify: Annotated[float, Meta(ge=0, le=10_000, description="Metres.")] | None = None
    """Metres that the line may differ from the true one."""
    include: Literal["rejected"] | None = None
    """Add the doubted fixes, each with its reason."""
    at: AwareTime | None = None
    """Return the position of the order at this time instead of the track."""


def parse_bbox(text: str) -> tuple[float, float, float, float]:
    """Parse `west,south,east,north`; west > east crosses the antimeridian. Raises InvalidFields."""
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise InvalidFields([FieldError("bbox", BBOX_RULE)]) from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidFields([FieldError("bbox", BBOX_RULE)])
    return west, south, east, north


def _statuses(text: str) -> list[OrderStatus]:
    try:
        return [OrderStatus(status) for status in text.split(",")]
    except ValueError:
        possible = ", ".join(OrderStatus)
        raise InvalidFields(
            [FieldError("status", f"must be one or more of {possible}, separated by commas")]
        ) from None
