"""Table: print a report as text."""

from typing import Final

from rich.console import Console
from rich.table import Table

from tracker.eta.evaluation.score import Report, Row

WIDTH: Final = 10_000  # columns: more than any row has, so that Rich cuts none
HEADINGS = (
    "to go, min",
    "method",
    "forecasts",
    "MAE s",
    "MAPE %",
    "bias s",
    "covered %",
    "width s",
    "changes",
    "later",
)


def print_table(report: Report) -> None:
    """Print the report to standard output. Changes are those of the displayed minute, per trip."""
    table = Table(
        box=None, pad_edge=False, header_style="bold", title=f"{report.trips} trips", title_justify="left"
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right", no_wrap=True)
    labels = ["all", *next(iter(report.methods.values())).buckets]
    for label in labels:
        for name, method in report.methods.items():
            row = method.overall if label == "all" else method.buckets[label]
            if row.forecasts:
                table.add_row(label, name, *_cells(row))
        table.add_section()
    Console(width=WIDTH).print(table)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.forecasts}",
        _number(row.mae_s),
        _number(row.mape, 100.0),
        _number(row.bias_s),
        _number(row.coverage, 100.0),
        _number(row.width_s),
        f"{row.shown_changes_per_trip:.1f}",
        f"{row.shown_later_per_trip:.1f}",
    )


def _number(value: float | None, scale: float = 1.0) -> str:
    return "" if value is None else f"{value * scale:.1f}"
