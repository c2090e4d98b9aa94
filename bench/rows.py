"""Row: one measured figure with its limit, or with the figure of another tool."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

WIDTH = 10_000  # columns: more than any row has, so that Rich cuts none, also in a file or a pipe


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its reference, from the same run and in the same unit."""

    name: str
    value: float
    unit: str
    against: str  # name of the limit or of the other tool
    reference: float
    better: Literal["lower", "higher"] = "lower"
    limit: bool = True  # whether the reference is a limit that can be missed
    detail: str = ""

    @property
    def ratio(self) -> float:
        """The figure divided by the reference."""
        return self.value / self.reference

    @property
    def missed(self) -> bool:
        """Whether the figure violates its limit."""
        return self.limit and (self.ratio > 1 if self.better == "lower" else self.ratio < 1)


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table, each whole and on one line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "measured", "against", "ratio", ""):
        table.add_column(
            heading, justify="right" if heading in {"measured", "ratio"} else "left", no_wrap=True
        )
    for row in rows:
        against = f"{row.against} ({_readable(row.reference)} {row.unit})"
        ratio = f"[red]{row.ratio:.2f} MISSED[/red]" if row.missed else f"{row.ratio:.2f}"
        table.add_row(row.name, f"{_readable(row.value)} {row.unit}", against, ratio, row.detail)
    Console(width=WIDTH).print(table)


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def as_json(rows: Iterable[Row]) -> bytes:
    """Encode the rows as JSON, with `ratio` and `missed`."""
    written = [msgspec.structs.asdict(row) | {"ratio": row.ratio, "missed": row.missed} for row in rows]
    return msgspec.json.format(msgspec.json.encode(written), indent=2)
