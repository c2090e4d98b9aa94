"""`python -m bench`: measure the product against limits and comparable tools."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from bench.capacity import measure_capacity
from bench.fleet import measure_fleet
from bench.forecast import measure_forecast
from bench.geocode import measure_geocode
from bench.hostile import measure_hostile
from bench.ingest import measure_ingest
from bench.latency import measure_latency
from bench.live_view import measure_live_view
from bench.live_view_long import measure_live_view_long
from bench.load import measure_load
from bench.memory import measure_memory
from bench.node import Node, running_node
from bench.nodes import measure_nodes
from bench.page import measure_page
from bench.phones import measure_phones
from bench.rows import Row, as_json, show
from bench.setup import measure_setup
from bench.sockets import measure_sockets
from bench.webhooks import measure_webhooks

Measure = Callable[[Node], Awaitable[list[Row]]]

# The order matters: memory is measured after a trip, and before the load of fixes.
BENCHMARKS: dict[str, Measure] = {
    "latency": measure_latency,
    "memory": measure_memory,
    "page": measure_page,
    "live_view": measure_live_view,
    "load": measure_load,
    "ingest": measure_ingest,
    "phones": measure_phones,
    "sockets": measure_sockets,
    "forecast": measure_forecast,
    "webhooks": measure_webhooks,
    "fleet": measure_fleet,
    "geocode": measure_geocode,
    "hostile": measure_hostile,
    "nodes": measure_nodes,
    "capacity": measure_capacity,
}


LASTING = {"nodes"}  # minutes: only if named, or with --long
MANY_DRIVERS = 1_000  # with --long


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    type=click.Choice(sorted(BENCHMARKS)),
    multiple=True,
    help="Run only this benchmark; may be repeated.",
)
@click.option(
    "--setup",
    is_flag=True,
    help="Also measure the set-up of a fresh clone; takes minutes and downloads packages.",
)
@click.option(
    "--long",
    "long",
    is_flag=True,
    help="Also measure a slow reader, 5,000 reconnects after a kill, two nodes, and 1,000 drivers.",
)
@click.option("--json", "json", is_flag=True, help="Print JSON.")
def main(*, only: tuple[str, ...], setup: bool, long: bool, json: bool) -> None:
    """Measure the service on this machine.

    Each figure is compared with a limit, or with another tool in the same run. Compare the ratios, because
    the seconds depend on the machine. The exit status is 1 if a limit is missed.
    """
    names = only or tuple(name for name in BENCHMARKS if long or name not in LASTING)
    rows = asyncio.run(_measure_all(names, setup=setup, long=long))
    if json:
        click.echo(as_json(rows))
    else:
        show(rows)
    sys.exit(any(row.missed for row in rows))


async def _measure_all(names: tuple[str, ...], *, setup: bool, long: bool) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if setup:
            _print_progress("setup")
            rows += await measure_setup(Path(folder))
        if long:
            _print_progress("live_view_long")
            rows += await measure_live_view_long(Path(folder) / "long")
        _print_progress("the service's start")
        async with running_node(Path(folder)) as node:
            for name in (name for name in BENCHMARKS if name in names):
                _print_progress(name)
                rows += await BENCHMARKS[name](node)
            if long:
                _print_progress("load")
                rows += await measure_load(node, MANY_DRIVERS)
    return rows


def _print_progress(name: str) -> None:
    click.echo(
        f"Measuring {name} ..."
        if name in BENCHMARKS or name in {"setup", "live_view_long"}
        else f"Waiting for {name} ...",
        err=True,
    )


if __name__ == "__main__":
    main()
