"""Options that click lacks: one for each setting, and one that takes several values."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import pairwise
from typing import Any

import click

from tracker.config import SETTINGS, Config, Setting
from tracker.config.settings import LOG_LEVELS


def settings_as_options[T](command: Callable[..., T]) -> Callable[..., T]:
    """Add an option for each setting. *command* receives the given ones as `options`, by environment name."""

    @wraps(command)
    def with_options(**arguments: Any) -> T:
        given = {name: arguments.pop(setting.field) for name, setting in SETTINGS.items()}
        options = {name: text for name, text in given.items() if text is not None}
        return command(options=options, **arguments)

    described: Callable[..., T] = with_options
    for setting in reversed(tuple(SETTINGS.values())):
        described = _option(setting)(described)
    return described


def default_of(setting: Setting) -> str:
    """Return the default in words."""
    return setting.unset or str(getattr(Config(), setting.field))


def in_terms_of_options(text: str, options: Mapping[str, str]) -> str:
    """Name the options in an error where it names their settings."""
    for name in options:
        text = text.replace(name, SETTINGS[name].option)
    return text


def _option(setting: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    meaning, name = setting.meaning, setting.name
    if setting.secret:
        meaning, name = f"File with the value of {name}: {meaning}", setting.file_name
    return click.option(
        setting.option,
        setting.field,
        type=_type_of(setting),
        metavar="PATH" if setting.secret else setting.takes.upper(),
        help=f"{meaning}  [env var: {name}; default: {default_of(setting)}]",
    )


def _type_of(setting: Setting) -> "click.ParamType[Any]":
    if setting.takes == "level":
        return click.Choice(LOG_LEVELS)
    return click.Path() if setting.secret or setting.takes == "path" else click.STRING


class RepeatableLearn(click.Command):
    """A command that takes `--learn A B C` as well as `--learn A --learn B --learn C`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, _repeat_option(args, "--learn"))


def _repeat_option(args: list[str], option: str) -> list[str]:
    """Insert *option* before each of its values, unless that leaves no positional argument."""
    expanded: list[str] = []
    for argument in args:
        follows = len(expanded) > 1 and expanded[-2] == option and not argument.startswith("-")
        expanded += [option, argument] if follows else [argument]
    return expanded if _positional(expanded) else args


def _positional(args: list[str]) -> list[str]:
    """Return the arguments that are neither an option nor the value of one."""
    takes_value = {"--map", "--learn"}
    return [
        each
        for before, each in pairwise(["", *args])
        if before not in takes_value and not each.startswith("-")
    ]


def without_option(arguments: Sequence[str], *names: str) -> list[str]:
    """Return the arguments of a command line without these options and their values."""
    kept: list[str] = []
    skips = False
    for argument in arguments:
        if skips:
            skips = False
        elif argument in names:
            skips = True
        elif argument.partition("=")[0] not in names:
            kept.append(argument)
    return kept
