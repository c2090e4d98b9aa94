"""Stopping: SIGTERM and SIGINT end a program in order, both while it starts and while it serves.

While a service starts, a signal cancels the start, and each context manager closes its resource. Once the
service serves, the signal only sets `Stop.asked`, and the server drains.
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
ENDED_WITHIN: Final = 18.0  # seconds from the signal to a forced exit

log = structlog.get_logger()


class Stop:
    """The request to stop one program. Belongs to one event loop."""

    def __init__(self, status: int = 0) -> None:
        self.asked: Final = asyncio.Event()
        self.serving = False  # set it when a signal has to drain instead of cancelling the start
        self._task = asyncio.current_task()
        self._status = status

    def ask(self) -> None:
        """Stop: cancel the start, or let the server drain. Idempotent."""
        if self.asked.is_set():
            return
        self.asked.set()
        start_watchdog(self._status)
        if not self.serving and self._task is not None:
            self._task.cancel()


def start_watchdog(status: int = 0) -> None:
    """Exit by force after ENDED_WITHIN, so that no client or child process holds this process."""

    def force_exit() -> None:
        log.warning("exit_forced", after_s=ENDED_WITHIN)
        os._exit(status)

    watchdog = threading.Timer(ENDED_WITHIN, force_exit)
    watchdog.daemon = True
    watchdog.start()


@asynccontextmanager
async def stoppable(status: int = 0) -> AsyncIterator[Stop]:
    """Handle SIGTERM and SIGINT for the current task; after a signal the block ends without an error.

    *status* is the exit status of a forced exit.
    """
    stop, loop = Stop(status), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
    except Exception as error:  # a cancelled start may raise another error
        if stop.serving or not stop.asked.is_set():
            raise
        log.warning("start_interrupted", exc_info=error)
