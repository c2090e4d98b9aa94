"""Plot: lines over time as SVG, for a page that needs no other file. Pure."""

from collections.abc import Sequence
from html import escape
from math import ceil, log10
from typing import Final

import msgspec

WIDTH: Final = 800
HEIGHT: Final = 220
LEFT: Final = 60  # for the numbers of the vertical axis
BOTTOM: Final = 24
COLOURS: Final = ("light-dark(#0b57d0, #8ab4f8)", "light-dark(#b3541e, #ffb27a)")
DASHES: Final = ("none", "6 3")  # lines differ without colours, too


class Line(msgspec.Struct, frozen=True):
    """Values over seconds. None leaves a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


def plot(title: str, unit: str, lines: Sequence[Line]) -> str:
    """Return a figure whose axes begin at zero. At most as many lines as COLOURS."""
    last = max((at for line in lines for at, _ in line.points), default=1.0) or 1.0
    top = round_up(max((value for line in lines for _, value in line.points if value is not None), default=1))
    drawn = "".join(
        f'<path d="{_path(line, last, top)}" fill="none" stroke-width="2" '
        f'style="stroke:{COLOURS[n]};stroke-dasharray:{DASHES[n]}"/>'
        for n, line in enumerate(lines)
    )
    words = escape(_describe(title, unit, lines))
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"{_axes(unit, last, top)}{drawn}{_legend(lines)}</svg></figure>"
    )


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, … that is not less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** ceil(log10(value) - 1)
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= value)


def _path(line: Line, last: float, top: float) -> str:
    parts: list[str] = []
    command = "M"
    for at, value in line.points:
        if value is None:
            command = "M"
            continue
        parts.append(f"{command}{_x(at, last):.1f} {_y(value, top):.1f}")
        command = "L"
    return "".join(parts)


def _axes(unit: str, last: float, top: float) -> str:
    grid = "".join(
        f'<path d="M{LEFT} {_y(value, top):.0f}H{WIDTH}" stroke="currentColor" opacity=".2"/>'
        f'<text x="{LEFT - 6}" y="{_y(value, top) + 4:.0f}" text-anchor="end">{value:,g} {unit}</text>'
        for value in (0.0, top / 2, top)
    )
    times = "".join(
        f'<text x="{_x(at, last):.0f}" y="{HEIGHT - 6}" text-anchor="middle">{at:,.0f} s</text>'
        for at in (0.0, last / 2, last * 0.97)
    )
    return grid + times


def _legend(lines: Sequence[Line]) -> str:
    return "".join(
        f'<path d="M{LEFT + 10 + 200 * n} 10h24" stroke-width="2" '
        f'style="stroke:{COLOURS[n]};stroke-dasharray:{DASHES[n]}"/>'
        f'<text x="{LEFT + 40 + 200 * n}" y="14">{escape(line.name)}</text>'
        for n, line in enumerate(lines)
    )


def _describe(title: str, unit: str, lines: Sequence[Line]) -> str:
    """Return the plot in words, for those who cannot see it."""
    known = [(line.name, [value for _, value in line.points if value is not None]) for line in lines]
    ranges = [f"{name} from {min(values):g} to {max(values):g} {unit}" for name, values in known if values]
    return f"{title}: {'; '.join(ranges)}"


def _x(at: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - 10) * at / last


def _y(value: float, top: float) -> float:
    return 20 + (HEIGHT - BOTTOM - 20) * (1 - value / top)
