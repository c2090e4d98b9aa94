/** Translations: the page's texts in the driver's language, from `web/messages/drive/`, and the times of stops. */

import { Translations as SharedTranslations } from '../translations.js';

export const LANGUAGES = ['en', 'de', 'fi', 'ar'];

/**
 * @param {readonly string[]} wanted in the user's preference, such as `de-AT`
 * @returns {string} one of LANGUAGES
 */
export function chooseLanguage(wanted) {
  const known = wanted.map((each) => each.toLowerCase().split('-')[0]);
  return known.find((each) => LANGUAGES.includes(each)) ?? 'en';
}

export class Translations extends SharedTranslations {
  /** @type {Map<string, Intl.DateTimeFormat>} making one takes longer than using it a hundred times */
  _clocks = new Map();

  /** @param {readonly string[]} wanted @returns {Promise<Translations>} */
  static async load(wanted = navigator.languages) {
    const language = chooseLanguage(wanted);
    const answer = await fetch(new URL(`../../messages/drive/${language}.json`, import.meta.url));
    const locale = wanted.find((each) => each.toLowerCase().startsWith(language)) ?? language;
    return new Translations(language, await answer.json(), locale);
  }

  /** @param {number} value */
  number(value) {
    return this._value(value);
  }

  /** @param {number} share 0..1 @returns {string} such as `62 %` */
  percent(share) {
    return new Intl.NumberFormat(this.locale, { style: 'percent' }).format(share);
  }

  /** @param {string} time @returns {string} the day, with its year */
  date(time) {
    return this._clock({ dateStyle: 'medium' }).format(new Date(time));
  }

  /** @param {string} time @returns {string} the day, with its year, and the time */
  moment(time) {
    return this._clock({ dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));
  }

  /** @param {number} time milliseconds @returns {string} the time of day, with seconds */
  clock(time) {
    return this._clock({ timeStyle: 'medium' }).format(time);
  }

  /**
   * @param {string} time @param {string} [timeZone] of the stop @param {number} [now] milliseconds
   * @returns {string} the time of day, with the day if it is not today
   */
  time(time, timeZone, now = Date.now()) {
    const clock = this._clock({ hour: '2-digit', minute: '2-digit' }, timeZone);
    const day = this._clock({ weekday: 'short', day: 'numeric', month: 'short' }, timeZone);
    const at = new Date(time);
    return day.format(at) === day.format(now) ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
  }

  /**
   * @param {string} from @param {string} to times @param {string} [timeZone] of the stop @param {number} [now] milliseconds
   * @returns {{from: string, to: string}} as `time` gives them; the second one has a day only if it is another one
   */
  range(from, to, timeZone, now = Date.now()) {
    const day = this._clock({ weekday: 'short', day: 'numeric', month: 'short' }, timeZone);
    const isSameDay = day.format(new Date(from)) === day.format(new Date(to));
    return { from: this.time(from, timeZone, now), to: this.time(to, timeZone, isSameDay ? Date.parse(to) : now) };
  }

  /** @param {Intl.DateTimeFormatOptions} options @param {string} [timeZone] */
  _clock(options, timeZone) {
    const key = `${timeZone ?? ''} ${Object.entries(options).join(' ')}`;
    const known = this._clocks.get(key);
    if (known) return known;
    const made = this._newClock(options, timeZone);
    this._clocks.set(key, made);
    return made;
  }

  /** @param {Intl.DateTimeFormatOptions} options @param {string} [timeZone] */
  _newClock(options, timeZone) {
    try {
      return new Intl.DateTimeFormat(this.locale, { ...options, timeZone });
    } catch {
      return new Intl.DateTimeFormat(this.locale, options); // an older browser does not know the zone
    }
  }
}
