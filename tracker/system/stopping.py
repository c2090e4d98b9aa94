"""Stopping: SIGTERM and SIGINT end a program in order, whichever phase it is in.

While a service starts, a signal cancels the start: each resource closes as its context manager says. Once the
service serves, the same signal only sets `Stop.asked`, and the server drains.
"""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
ENDED_WITHIN: Final = 18.0  # seconds after the signal; then the process exits, whatever still holds it

log = structlog.get_logger()


class Stop:
    """The wish to end, as one program sees it. Belongs to one event loop."""

    def __init__(self, status: int = 0) -> None:
        self.asked: Final = asyncio.Event()
        self.serving = False  # set it once a signal shall drain, and no longer cancel
        self._task = asyncio.current_task()
        self._status = status

    def ask(self) -> None:
        """End: cancel the start, or let the server drain. Further signals change nothing."""
        if self.asked.is_set():
            return
        self.asked.set()
        self._exit_in_any_case()
        if not self.serving and self._task is not None:
            self._task.cancel()

    def _exit_in_any_case(self) -> None:
        """A client or a child that does not let go must not hold the process."""

        def leave() -> None:
            log.warning("left_by_force", after_s=ENDED_WITHIN)
            os._exit(self._status)

        watchdog = threading.Timer(ENDED_WITHIN, leave)
        watchdog.daemon = True
        watchdog.start()


@asynccontextmanager
async def stoppable(status: int = 0) -> AsyncIterator[Stop]:
    """Take SIGTERM and SIGINT over for the current task; the block ends without an error after a signal.

    *status*: of the process where it has to be ended by force.
    """
    stop, loop = Stop(status), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
    except Exception as error:  # what a cancelled start can turn into
        if stop.serving or not stop.asked.is_set():
            raise
        log.warning("start_interrupted", exc_info=error)
