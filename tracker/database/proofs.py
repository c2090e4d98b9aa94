"""Proofs that drivers gave at the stops of an order, with their images."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracker.database.pool import Queries, Row
from tracker.domain.proof import Proof

COLUMNS: Final = ("id", "stop", "kind", "at", "distance_m", "value", "has_image")


async def insert_proof(
    queries: Queries, order_id: str, proof: Proof, *, driver: int, image: bytes | None, received_at: datetime
) -> None:
    """Insert a proof of an order; *driver* is the driver's number."""
    await queries.execute(
        "insert_proof",
        proof.id,
        order_id,
        driver,
        proof.stop,
        proof.kind,
        proof.at,
        received_at,
        proof.distance_m,
        proof.value,
        image,
    )


async def select_proofs(queries: Queries, order_id: str) -> list[Proof]:
    """Return the proofs of an order in the sequence of their receipt."""
    return [_proof(row) for row in await queries.fetch("select_proofs", order_id)]


async def count_proofs(queries: Queries, order_id: str) -> int:
    count: int = await queries.fetchval("count_proofs", order_id)
    return count


async def select_proof_image(queries: Queries, order_id: str, proof_id: str) -> bytes | None:
    """Return the image of a proof; None if the order has no such proof, or it has no image."""
    image: bytes | None = await queries.fetchval("select_proof_image", order_id, proof_id)
    return image


async def select_wrong_pins(queries: Queries, order_id: str) -> tuple[Sequence[str], datetime | None]:
    """Return the wrong PINs that were tried, and until when none is checked."""
    row = await queries.fetchrow("select_wrong_pins", order_id)
    assert row is not None  # the caller has locked the order
    return row["wrong_pins"], row["pins_refused_until"]


async def update_wrong_pins(
    queries: Queries, order_id: str, wrong: Sequence[str], refused_until: datetime | None
) -> None:
    """Write what `select_wrong_pins` returns, of an order that the caller has locked."""
    await queries.execute("update_wrong_pins", order_id, list(wrong), refused_until)


def _proof(row: Row) -> Proof:
    return Proof(**{name: row[name] for name in COLUMNS})
