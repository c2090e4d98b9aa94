"""The text of each setting and where it is from: an option wins over the environment."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

import msgspec

from tracker.config.settings import SETTINGS, Setting
from tracker.errors import ConfigError

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Kubernetes sets these in each container if a Service is called "tracker".
INJECTED: Final = re.compile(r"TRACKER_PORT(_.*)?|TRACKER_SERVICE_.*")
MASK: Final = "********"


class Value(msgspec.Struct, frozen=True):
    """The text of one setting, "" if it is not set, and its source."""

    text: str
    source: Literal["option", "environment", "file", "default"]


def read_values(
    environment: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
) -> dict[str, Value]:
    """Return the value of every setting, by its name in the environment. Only this reads `os.environ`.

    *options* are texts by the same names; that of a secret is the path of its file. Raises ConfigError for an
    unknown `TRACKER_…` name, a file that cannot be read, and a control character.
    """
    environment = os.environ if environment is None else environment
    _reject_unknown(environment)
    values = {name: _value(setting, environment, options or {}) for name, setting in SETTINGS.items()}
    for name, value in values.items():
        if CONTROL.search(value.text):
            raise ConfigError(name, "contains a line break or another control character; remove it")
    return values


def _reject_unknown(environment: Mapping[str, str]) -> None:
    known = (*SETTINGS, *(setting.file_name for setting in SETTINGS.values() if setting.secret))
    for name in environment:
        if name.startswith("TRACKER_") and name not in known and not INJECTED.fullmatch(name):
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}? There are" if close else "there are"
            raise ConfigError(name, f"no such setting; {hint} {', '.join(SETTINGS)}")


def _value(setting: Setting, environment: Mapping[str, str], options: Mapping[str, str]) -> Value:
    given = options.get(setting.name)
    if given is not None:
        text = _of_file(setting.name, Path(given)) if setting.secret else given.strip()
        return Value(_not_empty(setting, text), "option")
    text = environment.get(setting.name, "").strip()
    path = environment.get(setting.file_name, "").strip() if setting.secret else ""
    if text and path:
        raise ConfigError(setting.name, f"is set, and {setting.file_name} too; unset one of them")
    if path:
        return Value(_of_file(setting.file_name, Path(path)), "file")
    if setting.name == "DATABASE_URL" and setting.name in environment:
        _not_empty(setting, text)
    return Value(text, "environment" if text else "default")


def _not_empty(setting: Setting, text: str) -> str:
    if text:
        return text
    if setting.name == "DATABASE_URL":
        raise ConfigError(
            setting.name, "is empty; unset it for an embedded PostgreSQL, or set postgresql://…"
        )
    raise ConfigError(setting.name, "is empty; give a value, or omit it")


def _of_file(name: str, path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8"
        fix = "give the path of a text file that this user may read"
        raise ConfigError(name, f"{path} cannot be read: {why}; {fix}") from error
    if not text:
        raise ConfigError(name, f"{path} is empty; write the value into it")
    return text
