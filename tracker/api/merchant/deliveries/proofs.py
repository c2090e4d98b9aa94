"""`/v1/orders/…/proofs`: what drivers proved at the stops of an order, and the images."""

from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer
from tracker.api.merchant.responses import Page
from tracker.database.proofs import select_proof_image, select_proofs
from tracker.errors import NotFound
from tracker.images import MEDIA_TYPE
from tracker.messages.proofs import WireProof
from tracker.node import current_node

blueprint = Blueprint("proofs", __name__)


@blueprint.get("/v1/orders/<order_id>/proofs")
@require_scope("read")
@endpoint(answer=Page[WireProof], personal=True)
async def list_proofs(order_id: str) -> Response:
    """List the proofs of an order, of all its drivers and attempts, in the sequence of their receipt.

    An order has at most 50, so there is one page. Erasing the customer or the driver deletes them.
    """
    node = current_node()
    await node.orders.get(order_id)
    found = await select_proofs(node.database, order_id)
    return answer(Page([WireProof.of(proof) for proof in found], None))


@blueprint.get("/v1/orders/<order_id>/proofs/<proof_id>")
@require_scope("read")
@endpoint(media=(), personal=True)  # client generators know no image types
async def get_proof_image(order_id: str, proof_id: str) -> Response:
    """Get the image of a photo or signature as `image/jpeg`; 404 for a barcode or PIN."""
    image = await select_proof_image(current_node().database, order_id, proof_id)
    if image is None:
        raise NotFound("image of a proof")
    return Response(image, content_type=MEDIA_TYPE)
