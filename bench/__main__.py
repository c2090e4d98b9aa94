"""`python -m bench`: the product's figures beside their limits and peers."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from bench.forecast import measure_forecast
from bench.hostile import measure_hostile
from bench.ingest import measure_ingest
from bench.latency import measure_latency
from bench.live_view import measure_live_view
from bench.live_view_long import measure_live_view_long
from bench.memory import measure_memory
from bench.node import Node, running_node
from bench.page import measure_page
from bench.rows import Row, as_json, show
from bench.setup import measure_setup
from bench.sockets import measure_sockets

Measure = Callable[[Node], Awaitable[list[Row]]]

# In this order: memory after a trip was served and before a flood of fixes.
MEASURED: dict[str, Measure] = {
    "latency": measure_latency,
    "memory": measure_memory,
    "page": measure_page,
    "live_view": measure_live_view,
    "ingest": measure_ingest,
    "sockets": measure_sockets,
    "forecast": measure_forecast,
    "hostile": measure_hostile,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(sorted(MEASURED)), multiple=True, help="Instead of all of them.")
@click.option(
    "--setup", is_flag=True, help="Also a fresh clone of the last commit: some minutes, and downloads."
)
@click.option(
    "--long", "long", is_flag=True, help="Also a minute's slow reader, and 5,000 customers after a kill."
)
@click.option("--json", "json", is_flag=True, help="For programs.")
def main(*, only: tuple[str, ...], setup: bool, long: bool, json: bool) -> None:
    """Measure the service on this machine. Ends with 1 where a limit is missed.

    Each figure stands beside a limit, or beside a peer measured in the same run: read the ratios, since
    seconds are those of the machine.
    """
    rows = asyncio.run(_all(only or tuple(MEASURED), setup=setup, long=long))
    if json:
        click.echo(as_json(rows))
    else:
        show(rows)
    sys.exit(any(row.missed for row in rows))


async def _all(names: tuple[str, ...], *, setup: bool, long: bool) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if setup:
            _say("setup")
            rows += await measure_setup(Path(folder))
        if long:
            _say("live_view_long")
            rows += await measure_live_view_long(Path(folder) / "long")
        _say("the service's start")
        async with running_node(Path(folder)) as node:
            for name in (name for name in MEASURED if name in names):
                _say(name)
                rows += await MEASURED[name](node)
    return rows


def _say(what: str) -> None:
    click.echo(
        f"Measuring {what} ..."
        if what in MEASURED or what in {"setup", "live_view_long"}
        else f"Waiting for {what} ...",
        err=True,
    )


if __name__ == "__main__":
    main()
