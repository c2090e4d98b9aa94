"""Traffic lights: each has a cycle that follows from where it stands, the same for everybody."""

from hashlib import blake2b
from typing import Final

from tracker.domain.geo import LonLat

SHORTEST_CYCLE: Final = 50.0  # seconds
LONGEST_CYCLE: Final = 90.0
LEAST_GREEN: Final = 0.45  # of the cycle
MOST_GREEN: Final = 0.65


def red_for(place: LonLat, at: float) -> float:
    """Seconds that the light at `place` stays red from `at` (seconds since 1970); 0 while it is green."""
    cycle, green, offset = _cycle(place)
    phase = (at + offset) % cycle
    return 0.0 if phase < green else cycle - phase


def _cycle(place: LonLat) -> tuple[float, float, float]:
    """Cycle, green time and offset in seconds. Five decimals (about 1 m) make one light of all its edges."""
    digest = blake2b(f"{place.lon:.5f} {place.lat:.5f}".encode(), digest_size=6).digest()
    a, b, c = (int.from_bytes(digest[i : i + 2]) / 65536 for i in (0, 2, 4))
    cycle = SHORTEST_CYCLE + a * (LONGEST_CYCLE - SHORTEST_CYCLE)
    return cycle, cycle * (LEAST_GREEN + b * (MOST_GREEN - LEAST_GREEN)), c * cycle
