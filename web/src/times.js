/** Times: formats times by the destination's clock, in the visitor's own format. */

const DAY = 86_400_000; // milliseconds

/**
 * @typedef {object} Times
 * @property {(time: string) => string} clock a time of day
 * @property {(time: string, now: number) => string} moment for a sentence: the time of day, with the day if not today
 * @property {(from: string, to: string, now: number) => string} range for a sentence: likewise, from and to
 * @property {(from: string, to: string, now: number) => string} span from and to, with their day
 */

/**
 * @param {readonly string[]} languages
 * @param {string|undefined} timeZone an IANA name; if the browser does not know it, its own zone counts
 * @returns {Times}
 */
export function timesAt(languages, timeZone) {
  const clocks = format(languages, timeZone, { hour: '2-digit', minute: '2-digit' });
  const dates = format(languages, timeZone, { weekday: 'long', day: 'numeric', month: 'long' });
  const numbers = format(['en-u-ca-gregory-nu-latn'], timeZone, { year: 'numeric', month: 'numeric', day: 'numeric' });
  const clock = (/** @type {string} */ time) => clocks.format(new Date(time));

  /** @param {number} at @returns {number} days since 1970 in the destination's time zone */
  const dayOf = (at) => {
    const parts = Object.fromEntries(numbers.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(parts.year, parts.month - 1, parts.day) / DAY;
  };

  /** @param {string} time @param {number} now */
  const day = (time, now) => {
    const ahead = dayOf(Date.parse(time)) - dayOf(now);
    return ahead === 0 ? 'Today' : ahead === 1 ? 'Tomorrow' : dates.format(new Date(time));
  };

  /** @param {string} time @param {number} now */
  const isToday = (time, now) => dayOf(Date.parse(time)) === dayOf(now);

  /** @type {Times['span']} */
  const span = (from, to, now) => {
    const begin = `${day(from, now)}, ${clock(from)}`;
    if (from === to) return begin;
    const sameDay = dayOf(Date.parse(from)) === dayOf(Date.parse(to));
    return `${begin} – ${sameDay ? '' : `${day(to, now)}, `}${clock(to)}`;
  };

  /** @type {Times['range']} */
  const range = (from, to, now) => {
    if (!isToday(from, now) || !isToday(to, now)) return inSentence(span(from, to, now));
    return clock(from) === clock(to) ? clock(from) : `${clock(from)} – ${clock(to)}`;
  };

  return { clock, moment: (time, now) => range(time, time, now), range, span };
}

/** @param {string} text */
function inSentence(text) {
  return text.replace(/Today|Tomorrow/g, (day) => day.toLowerCase());
}

/**
 * @param {readonly string[]} languages @param {string|undefined} timeZone
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(languages, timeZone, options) {
  const tags = validTags(languages);
  try {
    return new Intl.DateTimeFormat(tags, { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(tags, options);
  }
}

/**
 * Intl throws on other tags. A browser in a POSIX locale reports `en-US@posix`; sites write `lang="de_DE"`.
 * @param {readonly string[]} languages
 */
function validTags(languages) {
  return languages
    .map((tag) => tag.replace(/@.*/, '').replaceAll('_', '-'))
    .filter((tag) => {
      try {
        return Intl.getCanonicalLocales(tag).length > 0;
      } catch {
        return false;
      }
    });
}
