/** Times: time windows and days as people write them in lists. Pure. Times are those of the browser's time zone. */

/** @typedef {{year: number, month: number, day: number}} Day month from 1 */
/** @typedef {{from: number, to: number}} Minutes after the beginning of a day */
/** @typedef {{from: string, to: string}} Window RFC 3339 */

const DAY = 24 * 60; // minutes
export const ONE_TIME = 60; // minutes: how long the window is if only one of its ends is known

const CLOCK = /^(\d{1,2})(?:[:.h](\d{2}))?\s*([ap])?\.?(?:m\.?)?$/i;
const WORDS = /^(?:klo|kl|kello|um|ca|at|à|a las|las|الساعة)\.?\s*|\s*(?:uhr|h|o'clock|時)$/gi;
const BEFORE = /^(?:before|until|till|by|bis|vor|spätestens|ennen|mennessä|asti|före|senast|avant|jusqu'à|hasta|antes de|قبل|حتى)\s+/i;
const AFTER = /^(?:after|from|ab|nach|von|alkaen|jälkeen|efter|från|après|dès|desde|después de|بعد|من)\s+|\s+(?:alkaen|jälkeen)$/i;

/** Digits of Arabic, Persian and full-width writing as 0 to 9. @param {string} text */
export function latinDigits(text) {
  return text.normalize('NFKC').replace(/[٠-٩۰-۹]/g, (digit) => String((digit.codePointAt(0) ?? 0) & 15));
}

/** @param {string} text such as `14:30`, `14.30`, `2 pm`, `klo 14` @returns {number|null} minutes */
export function minutesOf(text) {
  const found = latinDigits(text).trim().replace(WORDS, '').trim().match(CLOCK);
  if (!found) return null;
  const [, hour, minute = '00', mark = ''] = found;
  const hours = mark ? (Number(hour) % 12) + (mark.toLowerCase() === 'p' ? 12 : 0) : Number(hour);
  if ((mark && (Number(hour) < 1 || Number(hour) > 12)) || hours > 24 || Number(minute) > 59) return null;
  const minutes = hours * 60 + Number(minute);
  return minutes <= DAY ? minutes : null;
}

/**
 * @param {string} text such as `14-16`, `2:00–4:30 pm`, `18:00`, `before 14:00`
 * @returns {Minutes|null} `to` is after `from`, and may be on the next day
 */
export function minutesWindow(text) {
  const clean = latinDigits(text).trim();
  const parts = clean.split(/\s*(?:[-–—~〜]|\bto\b|\bbis\b|\btill\b|\bà\b|إلى)\s*/i);
  if (parts.length === 2 && parts[0] && parts[1]) return range(parts[0].replace(AFTER, ''), parts[1]);
  if (BEFORE.test(clean)) return half(null, minutesOf(clean.replace(BEFORE, '')));
  return half(minutesOf(clean.replace(AFTER, '')), null);
}

/** @param {string} first @param {string} second @returns {Minutes|null} */
function range(first, second) {
  const mark = /([ap])\.?m\.?$/i.exec(second)?.[0];
  const to = minutesOf(second);
  let from = minutesOf(mark && !/[ap]\.?m\.?$/i.test(first) ? `${first} ${mark}` : first); // 2–4 pm
  if (from === null || to === null) return null;
  if (mark && from > to) from = minutesOf(first) ?? from; // 11–1 pm
  return { from, to: to > from ? to : to + DAY };
}

/** @param {number|null} from @param {number|null} to @returns {Minutes|null} */
function half(from, to) {
  if (from !== null) return { from, to: from + ONE_TIME };
  return to === null ? null : { from: Math.max(0, to - ONE_TIME), to };
}

/**
 * @param {string} text such as `2026-12-24`, `24.12.2026`, `24.12.`, `12/24/2026`
 * @param {Day} today for the year @param {boolean} monthFirst whether 1/2 is January 2nd
 * @returns {Day|null}
 */
export function dayOf(text, today, monthFirst) {
  const clean = latinDigits(text).trim();
  const iso = clean.match(/^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$/);
  if (iso) return real(Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const found = clean.match(/^(?:\p{L}{2,}\.?,?\s+)?(\d{1,2})([./-])\s?(\d{1,2})\2?\s?(\d{2}|\d{4})?\.?$/u);
  if (!found) return null;
  const [, one, sign, other, year] = found;
  const isAmerican = sign === '/' && monthFirst;
  const [day, month] = isAmerican ? [other, one] : [one, other];
  if (year) return real(Number(year) + (year.length === 2 ? 2000 : 0), Number(month), Number(day));
  const isPast = Number(month) * 31 + Number(day) < today.month * 31 + today.day - 31;
  return real(today.year + (isPast ? 1 : 0), Number(month), Number(day)); // 2.1. in December is next year
}

/** @param {number} year @param {number} month @param {number} day @returns {Day|null} */
function real(year, month, day) {
  const date = new Date(year, month - 1, day);
  return date.getMonth() === month - 1 && date.getDate() === day ? { year, month, day } : null;
}

/** @param {Date} date @returns {Day} */
export function dayAt(date) {
  return { year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate() };
}

/** Whether people of a locale write the month before the day. @param {string} locale */
export function isMonthFirst(locale) {
  const parts = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'numeric' }).formatToParts(0).map(({ type }) => type);
  return parts.indexOf('month') < parts.indexOf('day');
}

/** @param {Day} day @param {Minutes} minutes @returns {Window} */
export function windowAt({ year, month, day }, { from, to }) {
  const at = (/** @type {number} */ minute) => new Date(year, month - 1, day, 0, minute).toISOString();
  return { from: at(from), to: at(to) };
}

/** A day and a time of day, or only a time. @param {string} text @param {Day} day for a time alone @param {Day} today @param {boolean} monthFirst @returns {Date|null} */
export function momentOf(text, day, today, monthFirst) {
  const clean = latinDigits(text).trim();
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(clean)) {
    const date = new Date(clean.replace(' ', 'T'));
    return Number.isNaN(date.getTime()) ? null : date;
  }
  const parts = clean.match(/^(.*\d[./]?)\s+(\d{1,2}(?:[:.]\d{2})(?:\s*[ap]\.?m\.?)?)$/i);
  const written = parts ? dayOf(parts[1].replace(/,$/, ''), today, monthFirst) : day;
  const minutes = minutesOf(parts ? parts[2] : clean);
  if (!written || minutes === null) return null;
  return new Date(written.year, written.month - 1, written.day, 0, minutes);
}
