"""`tracker settings`: the value of each setting, its source, its default and its meaning."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from tracker.commands.options import default_of
from tracker.config import SETTINGS, Config, Setting
from tracker.config.sources import MASK, Value

_USER_OR_QUERY: Final = re.compile(r"(?<=://)[^/?#]*@|(?<=\?).*")  # the parts of a URL that may be secret


class SettingInUse(msgspec.Struct, frozen=True):
    """One setting as the service would use it. A secret's value is masked."""

    name: str
    option: str
    value: Any  # null: not set, and `default` says what that means
    source: str  # option, environment, file or default
    default: str
    meaning: str


def settings_in_use(values: Mapping[str, Value]) -> list[SettingInUse]:
    """Return all settings, in the order of their list."""
    return [
        SettingInUse(
            name, setting.option, _shown(setting, value), value.source, default_of(setting), setting.meaning
        )
        for name, value in values.items()
        for setting in (SETTINGS[name],)
    ]


def _shown(setting: Setting, value: Value) -> Any:
    if not value.text:
        return None if setting.unset else str(getattr(Config(), setting.field))
    return MASK if setting.secret else _USER_OR_QUERY.sub(_masked, value.text)


def _masked(part: re.Match[str]) -> str:
    return f"{MASK}@" if part[0].endswith("@") else MASK


def as_text(settings: Iterable[SettingInUse], width: int) -> str:
    """Describe each setting in two lines or more, none of which is cut."""
    return "\n".join(line for one in settings for line in _lines(one, width))


def _lines(one: SettingInUse, width: int) -> list[str]:
    if one.source == "default":
        head = f"{one.name}: {one.default} (default)"
    else:
        head = f"{one.name}: {one.value} ({one.source}; default: {one.default})"
    meaning = textwrap.wrap(f"{one.meaning} Option: {one.option}", width - 4, break_on_hyphens=False)
    return [head, *(f"    {line}" for line in meaning)]
