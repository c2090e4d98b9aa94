"""Crowd: how many customers may make the service read at the same moment; the others wait, in order.

After a restart thousands come back within seconds. Were all of them let in at once, each would wait for all
the others' reads, and what takes a millisecond would run into its time. Whoever comes to an order that is in
memory already waits for nobody: after a few seconds that is nearly everyone.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

ARRIVING: Final = 24  # who read what their link shows
NOTING: Final = 3  # openings that are written down; the other connections are for reads


class Crowd:
    """The two doors of one node."""

    def __init__(self) -> None:
        self._arriving = asyncio.Semaphore(ARRIVING)
        self.noting = asyncio.Semaphore(NOTING)

    def turn(self, *, waits: bool) -> AbstractAsyncContextManager[None]:
        """Lets somebody in; those who need reads a few at a time."""
        return self._arriving if waits else nullcontext()
