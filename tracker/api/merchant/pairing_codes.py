"""`POST /v1/drivers/{id}/pairing`: a code that sets a phone up, once."""

from datetime import timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct
from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.client_info import base_url, public_path
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.database import Connection
from tracker.database.credentials.driver_tokens import upsert_pairing_code
from tracker.database.drivers import lock_drivers
from tracker.errors import NotFound
from tracker.messages import Time, Uri, rfc3339
from tracker.node import current_node
from tracker.phone_apps.pairing_links import PAIRING_TIME_S, PairingLinks, pairing_links
from tracker.tokens import hash_pairing_code, new_pairing_code

PAIRING_TIME: Final = timedelta(seconds=PAIRING_TIME_S)

blueprint = Blueprint("pairing", __name__)


class PairingAnswer(Struct, frozen=True):
    """A pairing code, which gives one phone a token of the driver."""

    code: Annotated[str, Meta(description="The code, for one use.", examples=["7K3QM-X9RTB"])]
    url: Uri
    """The page for drivers with the code in its fragment: open it on the phone, or show it as a QR code."""
    expires_at: Time
    """When the code expires."""
    links: PairingLinks
    """The code as a link for each app that can fetch its settings."""


@blueprint.post("/v1/drivers/<driver_id>/pairing")
@require_scope("orders")
@endpoint(answer=PairingAnswer, status=201, creates=True)
async def create_pairing_code(driver_id: str) -> Response:
    """Create a code that gives a phone one more token of the driver: for one use, within 15 minutes.

    It replaces an earlier code of the driver. Neither the code nor its links hold a token, so they can be
    shown as QR codes or sent as messages.
    """
    node, code = current_node(), new_pairing_code()

    async def create(connection: Connection) -> Creation:
        driver = (await lock_drivers(connection, [driver_id])).get(driver_id)
        if driver is None:
            raise NotFound("driver")
        expires_at = node.now() + PAIRING_TIME
        await upsert_pairing_code(connection, driver.number, hash_pairing_code(code), expires_at)
        links = pairing_links(base_url(), code)
        headers = {"Location": public_path(f"/v1/drivers/{driver_id}")}
        return Creation(PairingAnswer(code, links.page, rfc3339(expires_at), links), headers=headers)

    return await create_once(create)
