"""Output: one line for each event, on standard error: JSON, or readable lines on a terminal.

Logs hold no token, coordinate, phone number or name. An exception's text may quote input or stored data, so
only its type and places in the code are logged. For the log records of libraries, only the place in their
code is logged.
"""

import asyncio
import atexit
import logging
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final

import structlog

from tracker.logs.folding import Folding

FRAMES: Final = 12  # innermost frames logged of each exception
CHAIN: Final = 4  # exceptions logged of a chain of causes
FLUSH_EVERY: Final = 1.0  # seconds

log = structlog.get_logger()
_folding: Final = Folding(structlog.processors.JSONRenderer())


def set_up(level: str) -> None:
    """Configure logging: JSON lines, or readable lines on a terminal."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    _folding.render = renderer
    atexit.register(_folding.flush, early=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            _folding,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_LibraryLog()], force=True)
    sys.excepthook = _log_crash
    sys.unraisablehook = lambda args: _log_crash(args.exc_type, args.exc_value, args.exc_traceback)
    threading.excepthook = lambda args: _log_crash(args.exc_type, args.exc_value, args.exc_traceback)


@asynccontextmanager
async def flushing() -> AsyncIterator[None]:
    """Write the counts of repeated events in time during the block, and the remaining ones at its end."""
    task = asyncio.create_task(_flush_forever())
    try:
        yield
    finally:
        task.cancel()
        _folding.flush(early=True)


async def _flush_forever() -> None:
    while True:
        await asyncio.sleep(FLUSH_EVERY)
        _folding.flush()


def outline(error: BaseException) -> str:
    """Return the types and places of an exception and its causes, without their texts."""
    return " <- ".join(f"{type(one).__name__} [{', '.join(_places(one))}]" for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes, and the first exception inside a group."""
    for _ in range(CHAIN):
        if error is None:
            return
        yield error
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = inner or error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _without_values(
    _logger: Any, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Replace exceptions by their outlines, including one that was passed as a field by mistake."""
    exc_info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if exc_info is True else exc_info
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["crash"] = outline(error)
    return {
        key: outline(field) if isinstance(field, BaseException) else field for key, field in event.items()
    }


class _LibraryLog(logging.Handler):
    """Turns log records of libraries into events with logger, level and place in the code."""

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.module}:{record.lineno} {record.funcName}"
        error = record.exc_info[1] if record.exc_info else None
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write("library", logger=record.name, at=place, **({"exc_info": error} if error else {}))


def _log_crash(
    kind: type[BaseException], error: BaseException | None, _traceback: TracebackType | None
) -> None:
    """Log an uncaught exception, except Ctrl-C."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.error("crashed", kind=kind.__name__, **({"exc_info": error} if error else {}))
