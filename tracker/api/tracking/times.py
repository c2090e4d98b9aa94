"""Times by the destination's clock, in the reader's language and format. `web/src/times.js` does the same."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, dates

from tracker.api.tracking.translations import Translations

NEAR_DAYS: Final = {0: "day.today", 1: "day.tomorrow", -1: "day.yesterday"}
DATE_SKELETONS: Final = ("MMMMEEEEd", "MMMEEEEd", "MMMMEd", "MMMEd")
QUOTED: Final = re.compile(r"'[^']*'")


class Times:
    """Formats times in one time zone, relative to *now*. Times are as on the wire."""

    def __init__(self, words: Translations, zone: ZoneInfo, now: str) -> None:
        self._words, self._zone = words, zone
        self._today = self._at(now).date()

    def clock(self, time: str) -> str:
        """Return such as `17:55` or `5:55 PM`."""
        return _plain(dates.format_time(self._at(time), "short", locale=self._words.locale))

    def other_day(self, time: str) -> str:
        """Return the day for a sentence; empty for today."""
        return self._day(time) if self._days_ahead(time) else ""

    def moment(self, time: str) -> str:
        """Return for a sentence: the time of day, with the day if it is not today."""
        return self._day_and_clock(time) if self._days_ahead(time) else self.clock(time)

    def range(self, begin: str, end: str) -> str:
        """Return for a sentence: likewise, from and to."""
        if self._at(begin).date() == self._at(end).date():
            time, day = self._clock_range(begin, end), self.other_day(begin)
            return self._words.say("moment", day=day, time=time) if day else time
        return self._words.say("range", **{"from": self.moment(begin), "to": self._day_and_clock(end)})

    def span(self, begin: str, end: str) -> str:
        """Return from and to with their day, as a heading."""
        if self._at(begin).date() == self._at(end).date():
            text = self._words.say("moment", day=self._day(begin), time=self._clock_range(begin, end))
        else:
            ends = {"from": self._day_and_clock(begin), "to": self._day_and_clock(end)}
            text = self._words.say("range", **ends)
        return text[:1].upper() + text[1:]

    def _clock_range(self, begin: str, end: str) -> str:
        first, last = self._at(begin), self._at(end)
        if first == last:
            return self.clock(begin)
        locale = self._words.locale
        return _plain(dates.format_interval(first, last, _clock_skeleton(locale), self._zone, locale=locale))

    def _day_and_clock(self, time: str) -> str:
        return self._words.say("moment", day=self._day(time), time=self.clock(time))

    def _day(self, time: str) -> str:
        if (name := NEAR_DAYS.get(self._days_ahead(time))) is not None:
            return self._words.say(name)
        locale = self._words.locale
        return dates.format_date(self._at(time), _date_pattern(locale), locale=locale)

    def _days_ahead(self, time: str) -> int:
        return (self._at(time).date() - self._today).days

    def _at(self, time: str) -> datetime:
        """Return the beginning of its minute."""
        return datetime.fromisoformat(time).astimezone(self._zone).replace(second=0, microsecond=0)


def _plain(text: str) -> str:
    """Replace narrow spaces, of which browsers write some and not others."""
    return re.sub("[\u2009\u202f]", " ", text)


@lru_cache
def _clock_skeleton(locale: Locale) -> str:
    """Return the skeleton of a time of day, in 12 or 24 hours."""
    pattern = QUOTED.sub("", str(locale.time_formats["short"].pattern))
    return "hm" if "h" in pattern or "K" in pattern else "Hm"


@lru_cache
def _date_pattern(locale: Locale) -> str:
    """Return the pattern of weekday, day and month, all in full, as browsers derive it from a shorter one."""
    known = locale.datetime_skeletons
    pattern = str(next(known[name] for name in DATE_SKELETONS if name in known).pattern)
    for letter, least in (("E", 1), ("c", 1), ("M", 3)):
        pattern = re.sub(rf"(?<!{letter}){letter}{{{least},4}}(?!{letter})", letter * 4, pattern)
    return pattern
