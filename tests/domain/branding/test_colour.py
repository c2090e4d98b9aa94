"""The brand's colour in both themes: readable whatever the merchant chose, unchanged where it is."""

from itertools import product

import pytest

from tracker.domain.branding.colour import contrast, dark_colours, light_colours

LIGHT, DARK = "#ffffff", "#1f232b"
STEPS = ("00", "33", "66", "99", "cc", "ff")


def test_contrast_is_that_of_wcag() -> None:
    """The examples of https://webaim.org/resources/contrastchecker."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.01)


def test_every_colour_becomes_readable() -> None:
    """On the card, and on its own soft shade; marks on it too."""
    for rgb in product(STEPS, repeat=3):
        colour = "#" + "".join(rgb)
        for colours, surface in ((light_colours(colour), LIGHT), (dark_colours(colour), DARK)):
            assert contrast(colours.accent, surface) >= 4.5, colour
            assert contrast(colours.accent, colours.soft) >= 4.5, colour
            assert contrast(colours.accent, colours.on_accent) >= 4.5, colour


def test_a_readable_colour_stays() -> None:
    """Only what is too light or too dark changes, and keeps its hue."""
    assert light_colours("#8b0000").accent == "#8b0000"
    assert dark_colours("#ffcc00").accent == "#ffcc00"
    red, green, blue = (int(light_colours("#ffcc00").accent[at : at + 2], 16) for at in (1, 3, 5))
    assert red > green > blue == 0
