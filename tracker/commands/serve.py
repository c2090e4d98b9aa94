"""`tracker serve`: one node, from its listening socket to its drain."""

import platform
from collections.abc import Callable
from importlib.metadata import version
from time import monotonic

import structlog

from tracker import logs
from tracker.app import create_app, create_monitoring_app
from tracker.config import Config
from tracker.node import open_node
from tracker.routing import require_engine
from tracker.server import BACKLOG, Monitoring, listen, listen_for_monitoring, url_of
from tracker.server import serve as serve_app
from tracker.system.stopping import Stop

log = structlog.get_logger()


def log_progress(text: str) -> None:
    """Log a step of the start, such as `Map tiles: 40 %`."""
    log.info("start_progressed", step=text)


async def serve(
    config: Config, stop: Stop, say: Callable[[str], None], *, migrate: bool, shared: bool = False
) -> None:
    """Run a node until *stop* is asked for. Cancelling it before it serves closes what is open.

    *shared*: other processes listen on the same port.
    """
    release, begun = version("order-tracker"), monotonic()
    require_engine(config.router)
    config.make_data_dir()
    async with logs.flushing():
        with listen(config, shared=shared) as listening, listen_for_monitoring(config) as second:
            log.info("service_starting", version=release, python=platform.python_version())
            async with open_node(config, say=say, migrating=migrate) as node:
                stop.serving = True
                # Only now, so that early clients wait in the queue instead of failing.
                listening.listen(BACKLOG)
                log.info(
                    "service_started",
                    url=url_of(listening, config),
                    metrics_url=None if second is None else url_of(second, config),
                    version=release,
                    database="embedded" if config.database_url is None else "external",
                    map=node.map_file.path.name,
                    after_s=round(monotonic() - begun, 1),
                )
                await serve_app(
                    create_app(node),
                    config,
                    listening,
                    node.drain,
                    metrics=node.metrics.http,
                    close_reason=node.fleet.restart.reason,
                    stop=stop.asked,
                    monitoring=None if second is None else Monitoring(create_monitoring_app(node), second),
                )
        log.info("service_stopped")
