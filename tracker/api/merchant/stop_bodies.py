"""Stops in request bodies: coordinates, or an address that the map locates."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tracker.api.json_bodies import LongText, RequestBody, apply_changes
from tracker.domain.order import Place
from tracker.errors import FieldError
from tracker.orders.addresses import FoundPlace

Latitude = Annotated[float, Meta(ge=-90, le=90, description="Degrees north, WGS 84.")]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="Degrees east, WGS 84.")]
ServiceSeconds = Annotated[float, Meta(ge=0, le=86_400, description="Seconds that the driver needs there.")]
ReadyTime = Annotated[
    datetime, Meta(tz=True, description="When it can be picked up; forecasts and sequences wait for it.")
]


class NewPlace(RequestBody, frozen=True, kw_only=True):
    """A stop: `lat` and `lon`, or `address` alone, which the map then locates."""

    lat: Latitude | None = None
    lon: Longitude | None = None
    address: LongText | None = None
    """Address as people write it, at most 500 characters."""
    service_s: ServiceSeconds | None = None

    @property
    def is_located(self) -> bool:
        """Whether it has coordinates."""
        return self.lat is not None and self.lon is not None

    def errors(self, field: str) -> Iterator[FieldError]:
        """Yield what is missing: a coordinate, or the address."""
        for name, value, other in (("lat", self.lat, self.lon), ("lon", self.lon, self.lat)):
            if value is None and other is not None:
                yield FieldError(f"{field}.{name}", "is required with the other coordinate")
            elif value is None and not (self.address or "").strip():
                yield FieldError(f"{field}.{name}", "is required, unless `address` is given")

    def place(self, found: FoundPlace | None) -> Place:
        """Return the place; *found* if it has no coordinates."""
        lat, lon, precision = found or FoundPlace(self.lat or 0.0, self.lon or 0.0, "exact")
        return Place(lat, lon, self.address, self.service_s, precision=precision)


class NewPickup(NewPlace, frozen=True, kw_only=True):
    ready_at: ReadyTime | None = None

    def place(self, found: FoundPlace | None) -> Place:
        return msgspec.structs.replace(super().place(found), ready_at=self.ready_at)


class PlaceChange(RequestBody, frozen=True, kw_only=True):
    """Changes to a stop (RFC 7396); null removes the address or the service time."""

    lat: Latitude | UnsetType = UNSET
    lon: Longitude | UnsetType = UNSET
    address: LongText | UnsetType | None = UNSET
    """Address as people write it, at most 500 characters."""
    service_s: ServiceSeconds | UnsetType | None = UNSET

    @property
    def new_address(self) -> str | None:
        """The address of a change that moves the stop by it alone."""
        is_alone = self.lat is UNSET and self.lon is UNSET
        return self.address if is_alone and isinstance(self.address, str) else None

    def edit(self, place: Place, found: FoundPlace | None) -> Place:
        """Return the place with these changes; with coordinates of the merchant it is exact."""
        changed = apply_changes(place, self)
        if self.lat is not UNSET or self.lon is not UNSET:
            return msgspec.structs.replace(changed, precision="exact")
        if found is None or place.precision == "exact":
            return changed
        return msgspec.structs.replace(changed, **found._asdict())


class PickupChange(PlaceChange, frozen=True, kw_only=True):
    ready_at: ReadyTime | UnsetType | None = UNSET
