"""`POST /v1/orders/{id}/proofs`: a driver proves that they were at a stop of an order."""

from typing import Final

from quart import Blueprint, Response

from tracker.api.allowance import take_allowance
from tracker.api.client_info import public_path
from tracker.api.describe import endpoint
from tracker.api.driver.login import driver_of_request
from tracker.api.driver.messages import check_id
from tracker.api.driver.proof_form import ProofForm, new_proof, read_form
from tracker.api.idempotency import Creation, create_once
from tracker.database import Connection
from tracker.domain.order import Driver
from tracker.errors import Conflict
from tracker.messages.proofs import WireProof
from tracker.node import Node, current_node
from tracker.orders.changes import OrderChange
from tracker.orders.proofs import add_proof, check_pin

TOO_MANY: Final = "The driver sends too many proofs; retry later."

blueprint = Blueprint("driver_proofs", __name__)


@blueprint.post("/v1/orders/<order_id>/proofs")
@endpoint(
    form=ProofForm,
    answer=WireProof,
    status=201,
    creates=True,
    by_driver=True,
    raises=(Conflict,),
)
async def post_proof(order_id: str) -> Response:
    """Prove a stop of an order: a photo, a signature, a scanned barcode or the customer's PIN.

    The pickup takes proofs while the order is assigned, the dropoff once it is picked up; otherwise 409. An
    image is stored as a JPEG of at most 2 MB without metadata. A wrong barcode or PIN is 422. After five
    wrong PINs, each further one is 429 for ten minutes.
    """
    node = current_node()
    driver = await driver_of_request(node)
    take_allowance(node.proof_rates, driver.id, TOO_MANY)
    return await node.fleet.shield(_take_proof(node, driver, check_id(order_id)))


async def _take_proof(node: Node, driver: Driver, order_id: str) -> Response:
    async with node.admission.uploads:
        sent = await read_form()
        new = await new_proof(node, sent.form)
    if sent.form.kind == "pin":
        await check_pin(node.database, order_id, driver.id, str(sent.form.value), node.now())

    async def create(connection: Connection) -> Creation:
        ahead = node.fleet.clock_ahead(driver.id)
        proof = await add_proof(connection, order_id, driver, new, now=node.now(), ahead=ahead)
        return Creation(
            WireProof.of(proof),
            headers={"Location": public_path(f"/v1/orders/{order_id}/proofs/{proof.id}")},
            after=lambda: node.orders.notify(OrderChange(order_id, (driver.id,))),
        )

    return await create_once(create, owner=driver.id, request_hash=sent.request_hash)
