"""Problems of the HTTP API (RFC 9457), as clients read them."""

from typing import Annotated, Literal

import msgspec

from tracker.domain.order import OrderStatus

UriReference = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri-reference"})]


class WireCandidate(msgspec.Struct, frozen=True):
    """An address of the map."""

    address: str
    """The address as people write it in that country."""
    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    precision: Literal["house", "street", "place"]
    """What the coordinates are."""


class WireFieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One wrong value: its path, such as `pickup.lat` or `stops[0].kind`, and what is allowed."""

    field: str
    """Path to the wrong value, such as `pickup.lat` or `stops[0].kind`."""
    detail: str
    """What is allowed."""
    candidates: list[WireCandidate] | msgspec.UnsetType = msgspec.UNSET
    """Of an address that was not found: what may be meant, the best first."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem (RFC 9457). Wrong values add `errors`, a forbidden transition adds `allowed`."""

    type: UriReference
    """Kind of the problem: `/problems/<code>`, a page that explains it."""
    title: str
    """Short name of the kind."""
    status: int
    """HTTP status."""
    detail: str
    """What is wrong with this request."""
    errors: list[WireFieldError] | msgspec.UnsetType = msgspec.UNSET
    """Each wrong field."""
    allowed: list[OrderStatus] | msgspec.UnsetType = msgspec.UNSET
    """Statuses that may follow."""
