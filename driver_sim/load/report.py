"""Report: the result of a load test on the terminal, as JSON, or as a page with plots."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from driver_sim.load.measurements import Latency, Second
from driver_sim.load.plot import Line, plot
from driver_sim.load.result import BUSY, LATE_MS, Result

STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .25rem 1rem .25rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; } figure { margin: 2rem 0; }
figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
text { fill: currentColor; font-size: 12px; }
.kept::before { content: "✓ "; color: light-dark(#176b2c, #6fd58a); }
.broken::before { content: "✗ "; color: light-dark(#b3261e, #ff8a80); }
"""


def show(result: Result, console: Console) -> None:
    """Print the scorecard."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "p50", "p90", "p99", "longest"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, latency in _latencies(result):
        table.add_row(name, *_cells(latency))
    console.print(table)
    console.print(summary(result), soft_wrap=True)
    for promise in result.promises:
        mark = "[green]kept  [/green]" if promise.kept else "[red]BROKEN[/red]"
        console.print(f"{mark} {promise.text}", soft_wrap=True)
    if result.measures_itself:
        console.print(f"[yellow]{_warning(result)}[/yellow]", soft_wrap=True)


def second_line(second: Second) -> str:
    """Return one second of the run as a line."""
    return (
        f"{second.at_s:6.0f} s  {second.drivers:,} drivers, {second.customers:,} customers  "
        f"{second.fixes:,} fixes/s  ack {_ms(second.ack_p50_ms)} / {_ms(second.ack_p99_ms)}  "
        f"customer {_ms(second.customer_p50_ms)} / {_ms(second.customer_p99_ms)}  tool {second.processor:.0%}"
    )


def summary(result: Result) -> str:
    return (
        f"{result.fixes:,} fixes sent by {result.protocol}, {result.acknowledged:,} acknowledged, "
        f"{result.updates:,} positions at customers. This tool used {result.processor:.0%} of one processor "
        f"and sent fixes {_ms(result.late.p99_ms)} late (99 %)."
    )


def write(result: Result, path: Path) -> None:
    """Write the result as JSON, or as a page if the name ends in .html. Raises OSError."""
    if path.suffix == ".html":
        path.write_text(page(result), encoding="utf-8")
    else:
        path.write_bytes(as_json(result))


def as_json(result: Result) -> bytes:
    fields = msgspec.to_builtins(result) | {
        "promises": msgspec.to_builtins(result.promises),
        "kept": result.kept,
        "measures_itself": result.measures_itself,
    }
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def page(result: Result) -> str:
    """Return one HTML page that needs no other file."""
    title = f"Load test: {result.drivers:,} drivers at {result.rate_hz:g} Hz"
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in _cells(latency))}</tr>"
        for name, latency in _latencies(result)
    )
    promises = "".join(
        f'<li class="{"kept" if one.kept else "broken"}">{escape(one.text)}</li>' for one in result.promises
    )
    warning = f"<p><strong>{escape(_warning(result))}</strong></p>" if result.measures_itself else ""
    heads = "".join(f"<th scope=col>{text}</th>" for text in ("", "p50", "p90", "p99", "longest"))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><p>{escape(result.url)}, {result.watchers} customers for each order. "
        f"{escape(summary(result))}</p>{warning}<ul style='list-style:none;padding:0'>{promises}</ul>"
        f"<table><tr>{heads}</tr>{rows}</table>{''.join(_plots(result.seconds))}</html>\n"
    )


def _plots(seconds: Sequence[Second]) -> list[str]:
    def line(name: str, value: Callable[[Second], float | None]) -> Line:
        return Line(name, [(one.at_s, value(one)) for one in seconds])

    return [
        plot(
            "Connections",
            "",
            [line("drivers", lambda one: one.drivers), line("customers", lambda one: one.customers)],
        ),
        plot(
            "Rate",
            "/s",
            [line("fixes", lambda one: one.fixes), line("positions at customers", lambda one: one.updates)],
        ),
        plot(
            "From a due fix to its acknowledgement",
            "ms",
            [line("p50", lambda one: one.ack_p50_ms), line("p99", lambda one: one.ack_p99_ms)],
        ),
        plot(
            "From a due fix to its customer",
            "ms",
            [line("p50", lambda one: one.customer_p50_ms), line("p99", lambda one: one.customer_p99_ms)],
        ),
        plot(
            "This tool's share of one processor", "%", [line("share", lambda one: round(100 * one.processor))]
        ),
    ]


def _latencies(result: Result) -> list[tuple[str, Latency]]:
    return [("fix to acknowledgement", result.fix_to_ack), ("fix to customer", result.fix_to_customer)]


def _cells(latency: Latency) -> list[str]:
    return [_ms(value) for value in (latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms)]


def _warning(result: Result) -> str:
    return (
        f"The tool was the limit: it used {result.processor:.0%} of a processor (good: at most {BUSY:.0%}),"
        f" and was {_ms(result.late.p99_ms)} late (good: at most {LATE_MS:.0f} ms). Use fewer drivers, or a"
        " machine of its own."
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
