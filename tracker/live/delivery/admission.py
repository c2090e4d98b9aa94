"""Admission: limits how many customers open a live view, and drivers send images, at the same time.

The others queue in order.

After a restart, thousands of clients reconnect within seconds. Unlimited, each would wait for the steps of
all others, and reads that take a millisecond would time out. Clients whose order is in memory use the same
queue: when they bypassed it, they blocked those that had to read (half of 5,000 waited 2.2 s, not 0.7).
"""

import asyncio
from typing import Final

READS_AT_ONCE: Final = 24  # customers whose link and order are being read
WRITES_AT_ONCE: Final = 3  # link openings being stored; the other database connections are for reads
UPLOADS_AT_ONCE: Final = (
    8  # forms with images and batches of phone apps, of 10 MB each; the others wait with 256 kB each
)
IMAGES_AT_ONCE: Final = 1  # decoded images, of 200 MB each


class Admission:
    """Semaphores for reads and writes when a live view opens, and for large bodies and images."""

    def __init__(self) -> None:
        self.reads = asyncio.Semaphore(READS_AT_ONCE)
        self.writes = asyncio.Semaphore(WRITES_AT_ONCE)
        self.uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self.images = asyncio.Semaphore(IMAGES_AT_ONCE)
