"""Restart: when the clients of a node that stops are to reconnect.

A node that is alone serves again after some seconds, so its clients spread over 15 s. If other nodes run,
clients return as soon as those can take them, so that a rolling update interrupts no live view for long.
"""

from random import random
from typing import Final

LONGEST_S: Final = 15.0  # clients that know only the close code wait for up to this
SHORTEST_S: Final = 1.0
RECONNECTS_PER_S: Final = 300  # that a node takes beside its work; each costs 1.4 to 2.9 ms of processor time


def spread_s(clients: int, other_nodes: int) -> float:
    """Return the seconds over which the clients of a node that stops reconnect."""
    if not other_nodes:
        return LONGEST_S
    return min(LONGEST_S, max(SHORTEST_S, clients / (RECONNECTS_PER_S * other_nodes)))


class Restart:
    """The end of one node. Each client gets a random delay of its own."""

    def __init__(self) -> None:
        self.spread_s = LONGEST_S

    def delay_s(self) -> float:
        """Return the seconds after which one client is to reconnect."""
        return random() * self.spread_s

    def reason(self) -> str:
        """Return the reason of one close frame with 1012."""
        return f"restarting, retry_s={self.delay_s():.2f}"
