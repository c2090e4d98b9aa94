"""Proofs as drivers and merchants read them."""

from msgspec import Struct

from tracker.domain.order import StopKind
from tracker.domain.proof import Proof, ProofKind
from tracker.messages.fields import Time, rfc3339


class WireProof(Struct, frozen=True):
    """A proof that a driver gave at a stop of an order."""

    id: str
    """Id of the proof."""
    kind: ProofKind
    """What the driver gave."""
    stop: StopKind
    """Where."""
    at: Time
    """When, by the server's clock."""
    distance_m: float | None
    """Metres from the stop to the driver's last position, at most 2 minutes before. Null if unknown."""
    value: str | None
    """Text of a barcode. Null for other kinds."""
    has_image: bool
    """Whether it has an image."""

    @classmethod
    def of(cls, proof: Proof) -> "WireProof":
        return cls(
            proof.id,
            proof.kind,
            proof.stop,
            rfc3339(proof.at),
            proof.distance_m,
            proof.value,
            proof.has_image,
        )
