"""The brand's colour in the light and the dark theme, so that everybody can read it.

Contrast is that of WCAG 2.2, 1.4.3: at least 4.5:1 between text and what is behind it.
"""

from typing import Final

from msgspec import Struct

LEAST_CONTRAST: Final = 4.5
WHITE: Final = (255, 255, 255)
BLACK: Final = (20, 22, 26)  # `--text` of web/style/track.css
LIGHT_SURFACE: Final = WHITE  # `--surface` there
DARK_SURFACE: Final = (31, 35, 43)  # `--surface` of web/style/dark.css
SOFT: Final = 0.14  # share of the colour in the soft one
STEPS: Final = 100

Rgb = tuple[int, int, int]


class ThemeColours(Struct, frozen=True):
    """The colours of one theme, each as `#rrggbb`."""

    accent: str  # of text and lines on the card, and behind text in the card's colour
    soft: str  # behind text in the accent
    on_accent: str  # of marks on the accent


def light_colours(colour: str) -> ThemeColours:
    """Return a colour such as `#ffcc00`, darkened as far as necessary, for the light theme."""
    return _readable(_rgb(colour), LIGHT_SURFACE, towards=(0, 0, 0))


def dark_colours(colour: str) -> ThemeColours:
    """Return the colour, lightened as far as necessary, for the dark theme."""
    return _readable(_rgb(colour), DARK_SURFACE, towards=WHITE)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1..21."""
    return _contrast(_rgb(one), _rgb(other))


def _readable(colour: Rgb, surface: Rgb, *, towards: Rgb) -> ThemeColours:
    for step in range(STEPS + 1):
        accent = _mixed(colour, towards, step / STEPS)
        soft = _mixed(surface, accent, SOFT)
        if min(_contrast(accent, surface), _contrast(accent, soft)) >= LEAST_CONTRAST:
            break
    on_accent = max(WHITE, BLACK, key=lambda mark: _contrast(mark, accent))
    return ThemeColours(_hex(accent), _hex(soft), _hex(on_accent))


def _mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _contrast(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(value / 255) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    linear: float = ((value + 0.055) / 1.055) ** 2.4
    return value / 12.92 if value <= 0.04045 else linear


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
