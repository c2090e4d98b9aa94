"""QR codes in a terminal, which a phone's camera reads on light and on dark backgrounds."""

from typing import Final

import segno

QUIET_ZONE: Final = 4  # light modules around the code, as ISO/IEC 18004 asks
_COLOURS: Final = "\x1b[38;5;231;48;5;16m"  # white on black, whatever the terminal's theme
_RESET: Final = "\x1b[0m"
_CELLS: Final = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def qr_text(content: str) -> str:
    """Return lines of half blocks, two modules high. Without colours they suit dark terminals."""
    modules = [[bool(dark) for dark in row] for row in _with_quiet_zone(content)]
    if len(modules) % 2:
        modules.append([False] * len(modules[0]))
    lines = (
        "".join(_CELLS[pair] for pair in zip(top, bottom, strict=True))
        for top, bottom in zip(modules[::2], modules[1::2], strict=True)
    )
    return "\n".join(f"{_COLOURS}{line}{_RESET}" for line in lines)


def _with_quiet_zone(content: str) -> list[bytearray]:
    code = segno.make_qr(content, error="m")
    return [bytearray(row) for row in code.matrix_iter(scale=1, border=QUIET_ZONE)]
