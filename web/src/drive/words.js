/** Words: the page's texts in the driver's language, from `web/messages/`. */

/** @typedef {string|Partial<Record<Intl.LDMLPluralRule, string>>} Entry a text, or one for each plural form */
/** @typedef {Record<string, Entry>} Messages */

export const LANGUAGES = ['en', 'de', 'fi', 'ar'];
const RIGHT_TO_LEFT = new Set(['ar']);
const MINUTE = 60; // seconds
const HOUR = 3_600;

/**
 * @param {readonly string[]} wanted in the user's preference, such as `de-AT`
 * @returns {string} one of LANGUAGES
 */
export function chooseLanguage(wanted) {
  const known = wanted.map((each) => each.toLowerCase().split('-')[0]);
  return known.find((each) => LANGUAGES.includes(each)) ?? 'en';
}

export class Words {
  /** @param {string} language one of LANGUAGES @param {Messages} messages @param {string} [locale] for dates */
  constructor(language, messages, locale = language) {
    this.language = language;
    this.direction = RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr';
    this._messages = messages;
    this._locale = locale;
    this._plurals = new Intl.PluralRules(language);
  }

  /** @param {readonly string[]} wanted @returns {Promise<Words>} */
  static async load(wanted = navigator.languages) {
    const language = chooseLanguage(wanted);
    const answer = await fetch(new URL(`../../messages/${language}.json`, import.meta.url));
    const locale = wanted.find((each) => each.toLowerCase().startsWith(language)) ?? language;
    return new Words(language, await answer.json(), locale);
  }

  /** Whether there is a text of this name. @param {string} name */
  has(name) {
    return name in this._messages;
  }

  /**
   * @param {string} name
   * @param {Record<string, string|number>} [values] for the `{places}` of the text; `count` chooses the plural form
   * @returns {string}
   */
  say(name, values = {}) {
    const entry = this._messages[name] ?? name;
    const form = typeof entry === 'string' ? entry : entry[this._plurals.select(Number(values.count))] ?? entry.other;
    return (form ?? name).replace(/\{(\w+)\}/g, (_, place) => this._value(values[place] ?? ''));
  }

  /** @param {string|number} value */
  _value(value) {
    return typeof value === 'number' ? new Intl.NumberFormat(this._locale).format(value) : value;
  }

  /** @param {string[]} items @returns {string} as a list in a sentence */
  list(items) {
    return new Intl.ListFormat(this._locale, { style: 'short' }).format(items);
  }

  /** @param {number} seconds @returns {string} such as `8 sec` */
  duration(seconds) {
    const [unit, size] = seconds < 2 * MINUTE ? ['second', 1] : seconds < 2 * HOUR ? ['minute', MINUTE] : ['hour', HOUR];
    const format = new Intl.NumberFormat(this._locale, { style: 'unit', unit, unitDisplay: 'short' });
    return format.format(Math.floor(Math.max(0, seconds) / size));
  }

  /**
   * @param {string} time @param {string} [timeZone] of the stop @param {number} [now] milliseconds
   * @returns {string} the time of day, with the day if it is not today
   */
  time(time, timeZone, now = Date.now()) {
    const clock = this._format({ hour: '2-digit', minute: '2-digit' }, timeZone);
    const day = this._format({ weekday: 'short', day: 'numeric', month: 'short' }, timeZone);
    const at = new Date(time);
    return day.format(at) === day.format(now) ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
  }

  /**
   * @param {string} from @param {string} to times @param {string} [timeZone] of the stop @param {number} [now] milliseconds
   * @returns {{from: string, to: string}} as `time` gives them; the second one has a day only if it is another one
   */
  range(from, to, timeZone, now = Date.now()) {
    const day = this._format({ weekday: 'short', day: 'numeric', month: 'short' }, timeZone);
    const isSameDay = day.format(new Date(from)) === day.format(new Date(to));
    return { from: this.time(from, timeZone, now), to: this.time(to, timeZone, isSameDay ? Date.parse(to) : now) };
  }

  /** @param {Intl.DateTimeFormatOptions} options @param {string} [timeZone] */
  _format(options, timeZone) {
    try {
      return new Intl.DateTimeFormat(this._locale, { ...options, timeZone });
    } catch {
      return new Intl.DateTimeFormat(this._locale, options); // an older browser does not know the zone
    }
  }
}
