"""What a driver has to prove at the stops of an order."""

from datetime import datetime
from typing import Final, Literal, get_args

from msgspec import Struct

ProofKind = Literal["photo", "signature", "barcode", "pin"]
WITH_IMAGE: Final[tuple[ProofKind, ...]] = ("photo", "signature")
KINDS: Final[tuple[ProofKind, ...]] = get_args(ProofKind)


class StopRequirements(Struct, frozen=True, omit_defaults=True):
    """What the driver has to prove at one stop."""

    photo: bool = False
    """A photo."""
    signature: bool = False
    """The image of a signature."""
    barcode: str | None = None
    """The text of this barcode, scanned."""
    pin: bool = False
    """The PIN that the customer's page shows."""

    @property
    def kinds(self) -> tuple[ProofKind, ...]:
        """The kinds of proof that are required."""
        return tuple(kind for kind in KINDS if getattr(self, kind))


class Requirements(Struct, frozen=True, omit_defaults=True):
    """What the driver has to prove before an order is picked up and before it is delivered."""

    pickup: StopRequirements | None = None
    """Before `picked_up`. Absent: nothing."""
    dropoff: StopRequirements | None = None
    """Before `delivered`. Absent: nothing."""


class GivenProof(Struct, frozen=True):
    """A proof that an order's present driver has given, as the order knows it."""

    id: str
    stop: Literal["pickup", "dropoff"]
    kind: ProofKind
    at: datetime


class Proof(Struct, frozen=True, kw_only=True):
    """A stored proof, without its image."""

    id: str
    stop: Literal["pickup", "dropoff"]
    kind: ProofKind
    at: datetime
    distance_m: float | None  # from the stop; None: unknown
    value: str | None  # of a barcode
    has_image: bool
