"""Request bodies of what customers do on their page."""

from typing import Annotated

from msgspec import Meta

from tracker.api.json_bodies import RequestBody
from tracker.messages.allowed_values import PHRASE

TEXT_LENGTH = 500  # characters

Words = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=TEXT_LENGTH,
        pattern=r"\S",
        description="Text of at most 500 characters.",
        extra={PHRASE: "text of 1 to 500 characters that are not all spaces"},
    ),
]


class InstructionsBody(RequestBody, frozen=True, kw_only=True):
    """The customer's instructions for the driver, instead of those before."""

    text: Words


class PlaceBody(RequestBody, frozen=True, kw_only=True):
    """Where the customer's door is."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    """Degrees north, WGS 84."""
    lon: Annotated[float, Meta(ge=-180, le=180)]
    """Degrees east, WGS 84."""


class RatingBody(RequestBody, frozen=True, kw_only=True):
    """What the customer thinks of the delivery."""

    stars: Annotated[int, Meta(ge=1, le=5)]
    """1 is the worst, 5 the best."""
    text: Words | None = None
