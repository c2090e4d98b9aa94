"""Logs: one structured line an event, on standard error. Never a token, a coordinate, a phone or a name.

An exception's text may hold what somebody sent or what the database stores, so only its type is written, and
where it happened. The same for what libraries log: their own words are left out, the place in their code is
enough to find them.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

import structlog

FRAMES: Final = 12  # of each exception, the innermost
CHAIN: Final = 4  # exceptions that led to one another

log = structlog.get_logger()


def set_up(level: str) -> None:
    """JSON lines, or readable ones where a person watches."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_LibraryLog()], force=True)
    sys.excepthook = _crashed
    sys.unraisablehook = lambda told: _crashed(told.exc_type, told.exc_value, told.exc_traceback)
    threading.excepthook = lambda told: _crashed(told.exc_type, told.exc_value, told.exc_traceback)


def outline(error: BaseException) -> str:
    """Types and places of an exception and of those that caused it, without anything that they say."""
    return " <- ".join(f"{type(one).__name__} [{', '.join(_places(one))}]" for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what is inside it where it is a group, and what caused it."""
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
    """Exceptions become their outlines, also where one was given as a value by mistake."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["crash"] = outline(error)
    return {key: outline(told) if isinstance(told, BaseException) else told for key, told in event.items()}


class _LibraryLog(logging.Handler):
    """What libraries log, as an event of ours: who, how grave, and where in their code."""

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.module}:{record.lineno} {record.funcName}"
        error = record.exc_info[1] if record.exc_info else None
        grave = log.error if record.levelno >= logging.ERROR else log.warning
        grave("library", logger=record.name, at=place, **({"exc_info": error} if error else {}))


def _crashed(
    kind: type[BaseException], error: BaseException | None, _traceback: TracebackType | None
) -> None:
    """What nobody caught."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.error("crashed", kind=kind.__name__, **({"exc_info": error} if error else {}))
