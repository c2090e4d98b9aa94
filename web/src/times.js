/** Times: formats times by the destination's clock, in the reader's language and format. Pure. */

const DAY = 86_400_000; // milliseconds
const MINUTE = 60_000; // milliseconds
const PLAIN = /** @type {const} */ ({ calendar: 'gregory' }); // as the server writes them
const NEAR_DAYS = /** @type {Record<number, string>} */ ({ 0: 'day.today', 1: 'day.tomorrow', [-1]: 'day.yesterday' });

export class Times {
  /**
   * @param {import('./translations.js').Translations} words
   * @param {string|undefined} timeZone an IANA name; if the browser does not know it, its own zone counts
   */
  constructor(words, timeZone) {
    this._words = words;
    this._clocks = format(words.locale, timeZone, { ...PLAIN, timeStyle: 'short' });
    this._ranges = format(words.locale, timeZone, { ...PLAIN, hour: 'numeric', minute: '2-digit' });
    this._dates = format(words.locale, timeZone, { ...PLAIN, weekday: 'long', day: 'numeric', month: 'long' });
    this._numbers = format('en', timeZone, { ...PLAIN, year: 'numeric', month: 'numeric', day: 'numeric' });
  }

  /** A time of day. @param {string} time */
  clock(time) {
    return plain(this._clocks.format(new Date(time)));
  }

  /** The day for a sentence; empty for today. @param {string} time @param {number} now */
  otherDay(time, now) {
    return this._daysAhead(time, now) ? this._day(time, now) : '';
  }

  /** For a sentence: the time of day, with the day if it is not today. @param {string} time @param {number} now */
  moment(time, now) {
    return this._daysAhead(time, now) ? this._dayAndClock(time, now) : this.clock(time);
  }

  /** For a sentence: likewise, from and to. @param {string} from @param {string} to @param {number} now */
  range(from, to, now) {
    const day = this.otherDay(from, now);
    if (this._dayOf(from) === this._dayOf(to)) {
      const time = this._clockRange(from, to);
      return day ? this._words.say('moment', { day, time }) : time;
    }
    return this._words.say('range', { from: this.moment(from, now), to: this._dayAndClock(to, now) });
  }

  /** From and to with their day, as a heading. @param {string} from @param {string} to @param {number} now */
  span(from, to, now) {
    const begin = this._dayAndClock(from, now);
    const text = this._dayOf(from) === this._dayOf(to)
      ? this._words.say('moment', { day: this._day(from, now), time: this._clockRange(from, to) })
      : this._words.say('range', { from: begin, to: this._dayAndClock(to, now) });
    return text.slice(0, 1).toLocaleUpperCase(this._words.language) + text.slice(1);
  }

  /** @param {string} from @param {string} to on the same day */
  _clockRange(from, to) {
    const [begin, end] = [from, to].map((time) => Math.floor(Date.parse(time) / MINUTE) * MINUTE);
    return begin === end ? this.clock(from) : plain(this._ranges.formatRange(begin, end));
  }

  /** @param {string} time @param {number} now */
  _dayAndClock(time, now) {
    return this._words.say('moment', { day: this._day(time, now), time: this.clock(time) });
  }

  /** @param {string} time @param {number} now */
  _day(time, now) {
    const name = NEAR_DAYS[this._daysAhead(time, now)];
    return name ? this._words.say(name) : this._dates.format(new Date(time));
  }

  /** @param {string} time @param {number} now */
  _daysAhead(time, now) {
    return this._dayOf(time) - this._dayOf(now);
  }

  /** @param {string|number} time @returns {number} days since 1970 in the destination's time zone */
  _dayOf(time) {
    const parts = this._numbers.formatToParts(new Date(time));
    const { year, month, day } = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(year, month - 1, day) / DAY;
  }
}

/** Replace narrow spaces, of which browsers write some and not others. @param {string} text */
function plain(text) {
  return text.replace(/[\u2009\u202f]/g, ' ');
}

/** @param {string} locale @param {string|undefined} timeZone @param {Intl.DateTimeFormatOptions} options */
function format(locale, timeZone, options) {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(locale, options);
  }
}
