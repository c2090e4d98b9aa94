"""`/livez`, `/readyz`, `/metrics`: how this node is, for machines that watch it."""

from contextlib import suppress
from typing import Final

from quart import Blueprint, Response

from tracker.api.bodies import answer
from tracker.database.partitions import fixes_in_default
from tracker.errors import StorageUnavailable
from tracker.parts import Parts, parts

LAG_LIMIT: Final = 2.0  # seconds that fixes may wait for their commit

blueprint = Blueprint("control", __name__)


@blueprint.get("/livez")
async def livez() -> Response:
    """The loop answers."""
    return answer({"status": "live"})


@blueprint.get("/readyz")
async def readyz() -> Response:
    """200, or 503 with what is wrong. `degraded` is what is missing and does not stop anything."""
    wrong = await _wrong(parts())
    if wrong:
        return answer({"status": "not ready", "wrong": wrong}, 503)
    degraded = await _degraded(parts())
    return answer({"status": "ready", "degraded": degraded} if degraded else {"status": "ready"})


async def _wrong(here: Parts) -> list[str]:
    wrong = ["draining"] if here.fleet.draining else []
    try:
        await here.database.fetchval("ping")
    except StorageUnavailable:
        wrong.append("database")
    if here.recorder.lag > LAG_LIMIT:
        wrong.append("lag")
    return wrong


async def _degraded(here: Parts) -> list[str]:
    degraded = [] if here.router.up else ["router"]  # forecasts go by straight lines until it is back
    with suppress(StorageUnavailable):
        if await fixes_in_default(here.database):  # an alarm: fixes of days without a partition
            degraded.append("default_partition")
    return degraded


@blueprint.get("/metrics")
async def metrics() -> Response:
    """Prometheus' text format."""
    return Response(parts().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
