"""`/livez`, `/readyz`, `/metrics`: how this node is, for machines that watch it."""

from quart import Blueprint, Response

from tracker.api.bodies import answer
from tracker.errors import StorageUnavailable
from tracker.parts import Parts, parts

blueprint = Blueprint("control", __name__)


@blueprint.get("/livez")
async def livez() -> Response:
    """The loop answers."""
    return answer({"status": "live"})


@blueprint.get("/readyz")
async def readyz() -> Response:
    """200, or 503 with what is wrong."""
    wrong = await _wrong(parts())
    return answer({"status": "not ready", "wrong": wrong}, 503) if wrong else answer({"status": "ready"})


async def _wrong(here: Parts) -> list[str]:
    wrong = ["draining"] if here.fleet.draining else []
    try:
        await here.database.fetchval("ping")
    except StorageUnavailable:
        wrong.append("database")
    return wrong


@blueprint.get("/metrics")
async def metrics() -> Response:
    """Prometheus' text format."""
    return Response(parts().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
