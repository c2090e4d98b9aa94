"""Row: one measured figure beside the limit or the peer that gives it a meaning."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

WIDTH = 180  # columns: a row is one line, in a file too


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and what it is held against, both of the same run and in the same unit."""

    name: str
    value: float
    unit: str
    against: str  # which limit or which peer
    reference: float
    better: Literal["lower", "higher"] = "lower"
    limit: bool = True  # a peer's figure is no limit: it cannot be missed
    detail: str = ""

    @property
    def ratio(self) -> float:
        """The figure as a share of the limit or the peer's."""
        return self.value / self.reference

    @property
    def missed(self) -> bool:
        """Whether this is over (or under) a limit."""
        return self.limit and (self.ratio > 1 if self.better == "lower" else self.ratio < 1)


def show(rows: Iterable[Row]) -> None:
    """The rows as a table for people."""
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
    """The rows for programs, with ratio and verdict."""
    written = [msgspec.structs.asdict(row) | {"ratio": row.ratio, "missed": row.missed} for row in rows]
    return msgspec.json.format(msgspec.json.encode(written), indent=2)
