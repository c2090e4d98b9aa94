"""Requirements in request bodies: what a driver has to prove at the stops of an order."""

from typing import Annotated

from msgspec import Meta

from tracker.api.json_bodies import RequestBody
from tracker.domain.proof import Requirements, StopRequirements

Barcode = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="Text of the barcode that the driver has to scan, at most 100 characters.",
        examples=["JD014600003SE"],
    ),
]


class NewPickupRequirements(RequestBody, frozen=True, kw_only=True):
    photo: bool = False
    """Whether a photo is required."""
    signature: bool = False
    """Whether the image of a signature is required."""
    barcode: Barcode | None = None

    def required(self) -> StopRequirements | None:
        return some(StopRequirements(self.photo, self.signature, self.barcode))


class NewDropoffRequirements(RequestBody, frozen=True, kw_only=True):
    photo: bool = False
    """Whether a photo is required."""
    signature: bool = False
    """Whether the image of a signature is required."""
    barcode: Barcode | None = None
    pin: bool = False
    """Whether the driver has to enter the PIN that the customer's page shows."""

    def required(self) -> StopRequirements | None:
        return some(StopRequirements(self.photo, self.signature, self.barcode, self.pin))


class NewRequirements(RequestBody, frozen=True, kw_only=True):
    """What the driver has to prove. Only a dropoff can have a PIN, as only the customer knows it."""

    pickup: NewPickupRequirements | None = None
    """Before `picked_up`."""
    dropoff: NewDropoffRequirements | None = None
    """Before `delivered`."""


def some(required: StopRequirements) -> StopRequirements | None:
    """Return the requirements, or None if there are none."""
    return required if required.kinds else None


def requirements_of(wanted: NewRequirements | None) -> Requirements:
    if wanted is None:
        return Requirements()
    return Requirements(
        None if wanted.pickup is None else wanted.pickup.required(),
        None if wanted.dropoff is None else wanted.dropoff.required(),
    )
