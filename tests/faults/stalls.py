"""Stalls: `python -m tests.faults.stalls`, which tells when the machine itself stood still.

On each core a thread that goes before every other process sleeps a millisecond, again and again. Where it
wakes late, nobody's program was in its way: the core was not there (its host took it), or the kernel held it.
Prints, when its standard input ends, from when to when that was, in seconds of the system's clock.
"""

import os
import sys
import threading
from time import sleep, time
from typing import Final

import msgspec

SLEEP: Final = 0.001  # seconds
LATE: Final = 0.001  # seconds, beyond the sleep
PRIORITY: Final = 50  # of SCHED_FIFO: before everybody who has none

type Stall = tuple[float, float]


def watch(core: int, over: threading.Event, stalls: list[Stall]) -> None:
    """Until it is over; `stalls` grows."""
    os.sched_setaffinity(0, {core})  # of this thread
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    while not over.is_set():
        due = time() + SLEEP
        sleep(SLEEP)  # simulates nothing: its lateness is measured
        if (woke := time()) - due > LATE:
            stalls.append((due, woke))


def _main() -> None:
    over, stalls = threading.Event(), list[Stall]()
    threads = [threading.Thread(target=watch, args=(core, over, stalls)) for core in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(msgspec.json.encode(sorted(stalls)).decode())


if __name__ == "__main__":
    _main()
