"""`/livez`, `/readyz`: the state of this node, for supervisors and load balancers."""

from contextlib import suppress
from typing import Final, Literal

from msgspec import Struct
from quart import Blueprint, Response

from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer
from tracker.database.partitions import fixes_in_default
from tracker.errors import StorageUnavailable
from tracker.node import Node, current_node

LAG_LIMIT: Final = 2.0  # seconds that fixes may wait for their commit in a ready node

blueprint = Blueprint("control", __name__)


class Liveness(Struct, frozen=True):
    """A node that runs."""

    status: Literal["live"] = "live"
    """Always `live`."""


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a node takes requests, and what is missing."""

    status: Literal["ready", "not ready"]
    """Whether to send requests to this node."""
    wrong: list[str] = []
    """Why it is not ready: `draining`, `database`, `lag`."""
    degraded: list[str] = []
    """Missing parts, without which the node serves:
    `router`, `basemap`, `addresses`, `geocoder`, `default_partition`, `mqtt`, `bus`, `replica`."""
    preparing: list[str] = []
    """What is still being made."""


@blueprint.get("/livez")
@endpoint(answer=Liveness)
async def livez() -> Response:
    """Report that the process runs."""
    return answer(Liveness())


@blueprint.get("/readyz")
@endpoint(answer=Readiness, others={503: Readiness})
async def readyz() -> Response:
    """Report whether the node accepts requests: 200, or 503 with what is wrong.

    `degraded` lists missing parts without which the node still serves; `preparing` lists parts that are not
    ready yet.
    """
    wrong = await failures(current_node())
    if wrong:
        return answer(Readiness(status="not ready", wrong=wrong), 503)
    node = current_node()
    degraded = await degraded_parts(node)
    preparations = (node.router.preparation, node.basemap, node.addresses, node.geocoder)
    preparing = [part.name for part in preparations if part is not None and part.pending]
    return answer(Readiness(status="ready", degraded=degraded, preparing=preparing))


async def failures(node: Node) -> list[str]:
    """Return why the node is not ready."""
    wrong = ["draining"] if node.fleet.draining else []
    try:
        await node.database.fetchval("ping")
    except StorageUnavailable:
        wrong.append("database")
    if node.recorder.lag > LAG_LIMIT:
        wrong.append("lag")
    return wrong


async def degraded_parts(node: Node) -> list[str]:
    """Return the parts without which the node serves."""
    degraded = [] if node.router.up else ["router"]  # forecasts use straight lines
    degraded += [] if node.basemap.ready else ["basemap"]  # pages show a sketch of the route
    degraded += [] if node.addresses.failure is None else ["addresses"]  # the list of addresses is empty
    degraded += [] if node.geocoder.failure is None else ["geocoder"]  # stops need coordinates
    if node.mqtt is not None and not node.mqtt.connected:  # devices and broker keep what they send
        degraded.append("mqtt")
    if node.config.nats_url is not None and not node.fleet.bus_connected:  # nodes poll the database
        degraded.append("bus")
    if node.history.is_degraded:  # reads of the past go to the primary
        degraded.append("replica")
    with suppress(StorageUnavailable):
        if await fixes_in_default(node.database):  # fixes of days without a partition need an operator
            degraded.append("default_partition")
    return degraded
