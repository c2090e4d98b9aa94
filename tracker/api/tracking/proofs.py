"""`GET /v1/track/<token>/proofs/<id>`: a proof's image for the customer, once the order is over."""

from quart import Blueprint, Response

from tracker.api.describe import endpoint
from tracker.api.tracking.link import find_link, look_up
from tracker.database.proofs import select_proof_image
from tracker.errors import NotFound
from tracker.images import MEDIA_TYPE
from tracker.node import current_node

blueprint = Blueprint("tracking_proofs", __name__)


@blueprint.get("/v1/track/<token>/proofs/<proof_id>")
@endpoint(media=())  # client generators know no image types
async def get_tracked_proof(token: str, proof_id: str) -> Response:
    """Get the image of a proof in the snapshot's `proofs` as `image/jpeg`; 404 while the order is open."""
    node = current_node()
    open_link = await find_link(node, token)
    order = await node.fleet.views.order(open_link.order_id)
    if all(proof.id != proof_id for proof in order.shown_proofs):
        raise NotFound("image of a proof")
    image = await select_proof_image(node.database, order.id, proof_id)
    if image is None:
        raise NotFound("image of a proof")
    await look_up(node, open_link.link.id)  # it may have been revoked meanwhile
    return Response(image, headers={"Cache-Control": "private, no-store"}, content_type=MEDIA_TYPE)
