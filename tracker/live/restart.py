"""Restart: when the clients of a node that stops leave it, and when they reconnect.

A node that is alone serves again after some seconds. So its clients leave at once, and return over 15 s.
If other nodes run, clients leave a few at a time and return at once, as fast as those can take them. So a
rolling update interrupts no live view for long.
"""

from random import random
from typing import Final

LONGEST_S: Final = 15.0  # clients that know only the close code wait for up to this
LEAVING_AT_MOST_S: Final = 8.0  # of the 20 s that a supervisor waits; commits may take some of them
SOONEST_S: Final = 0.1  # not 0, which pages take for no delay
# What a node takes beside its work. Each reconnect costs 1.4 to 2.9 ms of processor time, with a trip that
# has to be read and routed 10 ms.
RECONNECTS_PER_S: Final = 100


class Restart:
    """The end of one node. Each client gets a random delay of its own."""

    def __init__(self) -> None:
        self.each_s = 0.0  # between two clients that leave
        self._soonest_s, self._latest_s = 0.0, LONGEST_S

    def begin(self, clients: int, other_nodes: int) -> None:
        """Decide how fast the clients leave, and over how many seconds they return."""
        if other_nodes:
            self.each_s = 1.0 / (RECONNECTS_PER_S * other_nodes)
            waiting_s = max(0.0, clients * self.each_s - LEAVING_AT_MOST_S)
            self._soonest_s, self._latest_s = SOONEST_S, min(LONGEST_S, SOONEST_S + waiting_s)

    def delay_s(self) -> float:
        """Return the seconds after which one client is to reconnect."""
        return self._soonest_s + random() * (self._latest_s - self._soonest_s)

    def reason(self) -> str:
        """Return the reason of one close frame with 1012."""
        return f"restarting, retry_s={self.delay_s():.2f}"
