"""`/metrics`: the metrics of this node, for Prometheus."""

import asyncio
from typing import Final

from quart import Blueprint, Response

from tracker.api.describe import endpoint
from tracker.api.monitoring.health import degraded_parts, failures
from tracker.node import Node, current_node

HEALTH_WITHIN: Final = 2.0  # seconds; Prometheus waits for 10

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@endpoint(media=("text/plain",))
async def metrics() -> Response:
    """Give metrics in the text format of Prometheus."""
    node = current_node()
    node.metrics.set_health(*await _health(node))
    for name, usage in (node.database.usage() | node.history.usage()).items():
        node.metrics.set_pool(name, used=usage.used, idle=usage.idle, waiting=usage.waiting)
    text = await asyncio.to_thread(node.metrics.text)  # 10 ms and more would delay everything else
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


async def _health(node: Node) -> tuple[list[str], list[str]]:
    """Return why the node is not ready, and what it serves without; without waiting for a hung database."""
    try:
        async with asyncio.timeout(HEALTH_WITHIN):
            return await failures(node), await degraded_parts(node)
    except TimeoutError:
        return ["database"], []
