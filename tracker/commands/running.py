"""How a command runs: its settings, its progress, its signals, and its errors in one sentence."""

import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TextIO

import click
import uvloop

from tracker import logs
from tracker.commands.options import in_terms_of_options
from tracker.config import Config
from tracker.errors import ConfigError, TrackerError
from tracker.system.progress import Teller
from tracker.system.stopping import Stop, stoppable

INTERRUPTED_STATUS: Final = 128 + signal.SIGTERM  # the exit status of a command that a signal ended


def say(text: str) -> None:
    """Print the progress of a long step to standard error."""
    _teller(sys.stderr).say(text)


@lru_cache(maxsize=1)
def _teller(stream: TextIO) -> Teller:
    return Teller(stream)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run *work* and return its result.

    On SIGTERM or SIGINT it closes everything that *work* opened and exits with status 143.
    Raises ClickException for a known error.
    """
    result = run_until_stopped(lambda _: work, INTERRUPTED_STATUS)
    if result is None:
        raise click.exceptions.Exit(INTERRUPTED_STATUS)
    return result[0]


def run_until_stopped[T](work: Callable[[Stop], Coroutine[Any, Any, T]], status: int) -> tuple[T] | None:
    """Return the result, or None if a signal came first.

    Raises ClickException for a known error, so that the user sees no traceback.
    """

    async def until_signal() -> tuple[T] | None:
        async with stoppable(status) as stop:
            return (await work(stop),)
        return None

    try:
        return uvloop.run(until_signal())
    except TrackerError as error:
        raise click.ClickException(str(error)) from error


def load_config(options: Mapping[str, str] | None = None) -> Config:
    """Read the settings and set up logging.

    Raises UsageError if an option is wrong, ClickException if a variable is; both name it and the fix.
    """
    with explained(options or {}):
        config = Config.from_environment(options=options)
    logs.set_up(config.log_level)
    return config


@contextmanager
def explained(options: Mapping[str, str]) -> Iterator[None]:
    """Convert a ConfigError to an error of click that names the option, or else the variable."""
    try:
        yield
    except ConfigError as error:
        if error.setting in options:
            raise click.UsageError(in_terms_of_options(str(error), options)) from error
        raise click.ClickException(str(error)) from error
