"""Roles of a driver's devices: one sends positions, the other shows orders."""

from datetime import timedelta
from typing import Final, Literal

Role = Literal["source", "screen"]
"""`source`: a position source, such as a phone app. `screen`: shows orders and may send positions too."""

SOURCE_SILENT_AFTER: Final = timedelta(seconds=30)  # then the fixes of a screen move the marker
