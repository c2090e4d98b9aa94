"""Console: prints a run as a live table, plain lines or JSON lines, with a summary."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import IO, Final

import msgspec
from rich.console import Console
from rich.live import Live

from driver_sim.couriers.events import Event, EventSink
from driver_sim.couriers.scenario import Scenario, Settings, end_on_signals
from driver_sim.report.totals import Totals, json_lines, plain_lines, table, totals, write_json

REFRESH_INTERVAL: Final = 0.5  # seconds between two updates of the table
PRINT_INTERVAL: Final = 15.0  # seconds between two lines of totals without a terminal


class Output(msgspec.Struct, frozen=True):
    """The output options of a run."""

    links: bool = False
    as_json: bool = False
    events: IO[str] | None = None  # order events as JSON lines


class _Summary(msgspec.Struct, frozen=True):
    """A JSON line of totals; the last one is the summary."""

    totals: Totals
    event: str = "summary"


async def run_and_show(settings: Settings, output: Output) -> bool:
    """Run a scenario and print it. Return False if every courier was disconnected. Raises ApiError."""
    console = Console(stderr=output.events is sys.stdout, highlight=False)
    scenario = Scenario(settings, _event_sink(console, output))
    end_on_signals(scenario.shutdown.set)
    async with _display(scenario, console, output):
        await scenario.run()
    _print_summary(scenario, console, output)
    return not scenario.couriers or any(courier.activity != "stopped" for courier in scenario.couriers)


def _event_sink(console: Console, output: Output) -> EventSink:
    """Return a sink for all outputs that the options select."""
    sinks: list[EventSink] = []
    if output.events is not None:
        sinks.append(json_lines(output.events, only_orders=True))
    if output.as_json:
        sinks.append(json_lines(sys.stdout, only_orders=False))
    elif not console.is_terminal:
        sinks.append(plain_lines(console, links=output.links))
    elif output.links:
        sinks.append(plain_lines(console, links=True, only={"order_created", "order_taken"}))

    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return emit


@asynccontextmanager
async def _display(scenario: Scenario, console: Console, output: Output) -> AsyncIterator[None]:
    """Print the run in a background task."""
    render = _update_table if console.is_terminal and not output.as_json else _print_totals
    display = asyncio.create_task(render(scenario, console, output))
    try:
        yield
    finally:
        display.cancel()
        with suppress(asyncio.CancelledError):
            await display


async def _update_table(scenario: Scenario, console: Console, output: Output) -> None:
    with Live(table(scenario.couriers), console=console, auto_refresh=False) as live:
        while True:
            live.update(table(scenario.couriers), refresh=True)
            await asyncio.sleep(REFRESH_INTERVAL)


async def _print_totals(scenario: Scenario, console: Console, output: Output) -> None:
    while True:
        await asyncio.sleep(PRINT_INTERVAL)
        if output.as_json:
            write_json(sys.stdout, _Summary(totals(scenario.couriers), "totals"))
        else:
            console.print(totals(scenario.couriers).line(), soft_wrap=True)


def _print_summary(scenario: Scenario, console: Console, output: Output) -> None:
    total = totals(scenario.couriers)
    if output.as_json:
        write_json(sys.stdout, _Summary(total))
        return
    console.print(total.line(), soft_wrap=True)
    for courier in scenario.couriers:
        if courier.error:
            console.print(f"{courier.identity.name}: {courier.error}", markup=False, soft_wrap=True)
