"""Crowd: how many customers may come in at the same moment; the others wait their turn, in order.

After a restart thousands come back within seconds. Were all of them let in at once, each would wait for all
the others' steps, and reads that take a millisecond would run into their time. Those whose order is in memory
wait in the same line: let past, they kept the event loop from those who had to read (tried: half of 5,000
waited 2.2 s and not 0.7).
"""

import asyncio
from typing import Final

READS_AT_ONCE: Final = 24  # who read what their link shows
WRITES_AT_ONCE: Final = 3  # openings that are written down; the other connections are for reads


class Admission:
    """The two doors of one node."""

    def __init__(self) -> None:
        self.reads = asyncio.Semaphore(READS_AT_ONCE)
        self.writes = asyncio.Semaphore(WRITES_AT_ONCE)
