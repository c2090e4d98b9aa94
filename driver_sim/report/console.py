"""A run as a person or a program sees it: a live table, plain lines or JSON lines, and a summary."""

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

REFRESH: Final = 0.5  # seconds between two looks at the table
REPORT: Final = 15.0  # seconds between two lines of totals where nothing can be redrawn


class Output(msgspec.Struct, frozen=True):
    """What is to be seen of a run."""

    links: bool = False
    as_json: bool = False
    events: IO[str] | None = None  # order events as JSON lines


class _Summary(msgspec.Struct, frozen=True):
    """The last JSON line."""

    totals: Totals
    event: str = "summary"


async def run_and_show(settings: Settings, output: Output) -> bool:
    """Whether any courier could work to the end. Raises ApiError where the service says no."""
    console = Console(stderr=output.events is sys.stdout, highlight=False)
    scenario = Scenario(settings, _told(console, output))
    end_on_signals(scenario.over.set)
    async with _watched(scenario, console, output):
        await scenario.run()
    _summarise(scenario, console, output)
    return not scenario.couriers or any(courier.doing != "stopped" for courier in scenario.couriers)


def _told(console: Console, output: Output) -> EventSink:
    """Where events go."""
    sinks: list[EventSink] = []
    if output.events is not None:
        sinks.append(json_lines(output.events, only_orders=True))
    if output.as_json:
        sinks.append(json_lines(sys.stdout, only_orders=False))
    elif not console.is_terminal:
        sinks.append(plain_lines(console, links=output.links))
    elif output.links:
        sinks.append(plain_lines(console, links=True, wanted={"order_created", "order_taken"}))

    def tell(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return tell


@asynccontextmanager
async def _watched(scenario: Scenario, console: Console, output: Output) -> AsyncIterator[None]:
    """Shows the run while it lasts."""
    show = _redraw if console.is_terminal and not output.as_json else _report
    watching = asyncio.create_task(show(scenario, console, output))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _redraw(scenario: Scenario, console: Console, output: Output) -> None:
    with Live(table(scenario.couriers), console=console, auto_refresh=False) as live:
        while True:
            live.update(table(scenario.couriers), refresh=True)
            await asyncio.sleep(REFRESH)


async def _report(scenario: Scenario, console: Console, output: Output) -> None:
    while True:
        await asyncio.sleep(REPORT)
        if output.as_json:
            write_json(sys.stdout, _Summary(totals(scenario.couriers), "totals"))
        else:
            console.print(totals(scenario.couriers).line(), soft_wrap=True)


def _summarise(scenario: Scenario, console: Console, output: Output) -> None:
    total = totals(scenario.couriers)
    if output.as_json:
        write_json(sys.stdout, _Summary(total))
        return
    console.print(total.line(), soft_wrap=True)
    for courier in scenario.couriers:
        if courier.trouble:
            console.print(f"{courier.who.name}: {courier.trouble}", markup=False, soft_wrap=True)
