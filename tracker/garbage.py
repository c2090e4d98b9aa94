"""Garbage: how Python's collector of cycles treats a process that holds thousands of connections for long."""

import gc
from typing import Final

# A pass stops everything while it lasts: with the city out of sight, one of the newest 0.3 ms, one of those
# that outlived a look 2 ms. Larger numbers are as much work in all, in stops of 60 ms.
YOUNG: Final = 1_000  # objects made and not freed, until the newest are looked through
MIDDLE: Final = 5  # times of that, until those that outlived one look are
OLD: Final = 40  # times of that again, until all are, if a quarter has come since


def settle_collector() -> None:
    """All that was made up to now stays for good: from here on the collector passes it by.

    With its usual manners it took a fifth of the time in which a crowd comes in: every few thousand objects
    it went through the city, the routes of the service and every connection that stood.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
