"""The texts of the customer's page in the customer's language, from `web/messages/track/`.

`web/src/translations.js` makes the same texts in the browser, from the same messages, which the page carries.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import msgspec
from babel import Locale, localedata, numbers, units

from tracker.domain.branding.brand import LANGUAGES
from tracker.system.package_files import folder

RIGHT_TO_LEFT: Final = {"ar"}
WORLD: Final = "en-GB"  # for readers of none of our languages: 24 hours, the day before the month
TAG: Final = re.compile(r"([a-z]{2,3})(?:[-_][a-z]{4})?(?:[-_]([a-z]{2}|\d{3}))?(?![a-z0-9])", re.IGNORECASE)
PLACE: Final = re.compile(r"\{(\w+)\}")

Entry = str | dict[str, str]  # a text, or one for each plural form


class Translations:
    """Texts in one language, with numbers and plural forms as the locale wants them."""

    def __init__(self, language: str, region: str = "") -> None:
        self.language, self.messages = language, messages_of(language)
        self.direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        self.locale = Locale(language, region or None)
        # Browsers take the digits of a region, such as those of Egypt; Babel and PINs have 0 to 9.
        self.tag = f"{language}{region and f'-{region}'}{'-u-nu-latn' if language == 'ar' else ''}"

    def __contains__(self, name: str) -> bool:
        return name in self.messages

    def say(self, name: str, **values: str | int) -> str:
        """Return a text with *values* in its `{places}`; `count` chooses the plural form."""
        entry = self.messages[name]
        if isinstance(entry, dict):
            entry = entry.get(self.locale.plural_form(int(values["count"]))) or entry["other"]
        return PLACE.sub(lambda place: self._value(values[place[1]]), entry)

    def amount(self, number: float, unit: str) -> str:
        """Return such as `1.2 km` for a unit of CLDR, such as `length-kilometer`."""
        return units.format_unit(number, unit, "short", locale=self.locale)

    def _value(self, value: str | int) -> str:
        return numbers.format_decimal(value, locale=self.locale) if isinstance(value, int) else value


@cache
def messages_of(language: str) -> Mapping[str, Entry]:
    path = folder("web") / "messages" / "track" / f"{language}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Entry])


def choose_words(
    asked: str | None, of_the_order: str | None, accepted: Iterable[str], offered: Sequence[str] = ()
) -> Translations:
    """Return the words in the language of `?lang=`, the order's customer, or else of Accept-Language.

    A tag of none of the languages *offered*, by default all of ours, does not count; readers of none get the
    first. The first tag with a region in that language chooses the format of times and numbers: the reader's
    own before the order's.
    """
    read = [tag for tag in map(_parts, accepted) if tag and _is_offered(tag, offered)]
    wishes = (_parts(asked or ""), _parts(of_the_order or ""))
    wished = [tag for tag in wishes if tag and _is_offered(tag, offered)]
    if not wished and not read:
        return _words(offered[0], "") if offered and offered[0] != "en" else _words(*WORLD.split("-"))
    language = (wished or read)[0][0]
    regions = [tag[1] for tag in (*wished[:1], *read, *wished[1:]) if tag[0] == language and tag[1]]
    return _words(language, regions[0] if regions else "")


def _is_offered(tag: tuple[str, str], offered: Sequence[str]) -> bool:
    return not offered or tag[0] in offered


def _parts(tag: str) -> tuple[str, str] | None:
    """Return the language and the region, or "", of a tag such as `de-AT`; None if we do not speak it."""
    found = TAG.match(tag.strip())
    if found is None or found[1].lower() not in LANGUAGES:
        return None
    language, region = found[1].lower(), (found[2] or "").upper()
    return language, region if region and localedata.exists(f"{language}_{region}") else ""


@cache  # some 250 pairs that CLDR knows
def _words(language: str, region: str) -> Translations:
    return Translations(language, region)
