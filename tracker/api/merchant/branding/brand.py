"""`/v1/brand`: how the customers' pages look, and what customers may do there."""

from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, body
from tracker.api.merchant.branding.bodies import BrandAnswer, BrandBody, brand_answer, brand_of
from tracker.node import current_node

blueprint = Blueprint("brand", __name__)


@blueprint.get("/v1/brand")
@require_scope("admin")
@endpoint(answer=BrandAnswer)
async def get_brand() -> Response:
    """Get the brand. Without one, its fields are null or empty."""
    return answer(brand_answer(await current_node().brands.stored()))


@blueprint.put("/v1/brand")
@require_scope("admin")
@endpoint(body=BrandBody, answer=BrandAnswer)
async def put_brand() -> Response:
    """Replace the brand. Absent fields become null or empty, so `{}` removes it.

    Pages that are opened from now on show it, on every node.
    """
    brand = await brand_of(await body(BrandBody))
    await current_node().brands.replace(brand)
    return answer(brand_answer(brand))
