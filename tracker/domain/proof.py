"""What a driver has to prove at the stops of an order."""

from typing import Final, Literal, get_args

from msgspec import Struct

ProofKind = Literal["photo", "signature", "barcode", "pin"]
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
