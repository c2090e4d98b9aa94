"""The command `driver-sim load`."""

import sys
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from driver_sim.couriers.scenario import end_on_signals
from driver_sim.errors import NoBroker, first_error
from driver_sim.load.report import as_json, second_line, show, write
from driver_sim.load.result import Result
from driver_sim.load.run import LoadSettings, LoadTest
from driver_sim.merchant_api import ApiError
from driver_sim.options import key_option, url_option, with_fix
from driver_sim.sources.protocols import PROTOCOLS, WHOLE_SECONDS, Protocol


def _check_report(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Raises BadParameter before the run, not after it."""
    if path is not None and path.suffix not in {".json", ".html"}:
        raise click.BadParameter("the name must end in .json or .html")
    if path is not None and not path.resolve().parent.is_dir():
        raise click.BadParameter(f"the folder {path.resolve().parent} does not exist")
    return path


@click.command()
@url_option
@key_option
@click.option("--drivers", type=click.IntRange(1, 100_000), default=100, help="Number of drivers.")
@click.option("--watchers", type=click.IntRange(0, 50), default=1, help="Customers who watch each order.")
@click.option("--rate", type=click.FloatRange(0.01, 20), default=1.0, help="Fixes a second of each driver.")
@click.option("--duration", type=click.FloatRange(1), default=60.0, help="Seconds after the ramp.")
@click.option(
    "--ramp",
    type=click.FloatRange(0),
    default=10.0,
    help="Seconds over which the drivers connect, one by one.",
)
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="ws",
    help="How drivers send positions.",
)
@click.option("--seed", default=1, help="Random seed; the same seed uses the same drivers and routes.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_check_report,
    help="Write the result to this file: .json, or .html with plots.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
def load(*, rate: float, protocol: Protocol, report: Path | None, json_output: bool, **options: Any) -> None:
    """Put a steady load on the service, and measure it.

    Drivers follow real routes and carry one order after another. Customers watch each order by WebSocket.
    Latencies count from the moment at which a fix was due, so that a service that stalls cannot hide it.
    Figures of the time after --ramp count.

    The command says how much of a processor it used itself, because a busy tool measures itself.
    Its drivers stay in the service, and the next run uses them again. It needs many open files: `ulimit -n`
    should be twice the number of drivers and customers.

    The exit status is 1 if the service broke a promise: fixes not acknowledged or rejected, drivers sent
    away, or customers who do not see the newest position at the end.
    """
    if protocol in WHOLE_SECONDS and rate > 1:
        raise click.UsageError(f"{protocol} sends whole seconds, so --rate must be at most 1.")
    settings = LoadSettings(rate=rate, protocol=protocol, **options)
    try:
        result = uvloop.run(_run(settings))
    except* ApiError as errors:
        raise click.ClickException(with_fix(first_error(errors))) from None
    except* NoBroker as errors:
        raise click.ClickException(f"{first_error(errors)}.") from None
    if json_output:
        sys.stdout.buffer.write(as_json(result))
    else:
        show(result, Console(highlight=False))
    if report is not None:
        write(result, report)
    sys.exit(0 if result.kept else 1)


async def _run(settings: LoadSettings) -> Result:
    """Run and print the progress on stderr."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bars: dict[str, object] = {}

        def on_progress(what: str, ready: int, total: int) -> None:
            bar = bars.setdefault(what, progress.add_task(what, total=total) if what not in bars else None)
            progress.update(bar, completed=ready)  # type: ignore[arg-type]

        test = LoadTest(
            settings, on_progress, lambda second: progress.console.print(second_line(second), soft_wrap=True)
        )
        end_on_signals(test.stop)
        return await test.run()
