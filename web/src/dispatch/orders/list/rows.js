/** Rows: what one row of a list says about its order, and what is wrong with it. Pure. */

import { dayOf, minutesWindow, momentOf, ONE_TIME, windowAt } from './times.js';

/** @typedef {import('./columns.js').Field} Field */
/** @typedef {import('./times.js').Day} Day */
/** @typedef {import('./times.js').Window} Window */
/** @typedef {'missing'|'unknown'|'ambiguous'|'bad'|'long'|'past'|'refused'} Fault */
/** @typedef {{field: Field|'row', fault: Fault, detail?: string}} RowProblem `past` is a warning only */
/** @typedef {Partial<Record<Field, string>>} Values the text of each field, as it stands in the list */
/** @typedef {{day: Day, today: Day, now: number, monthFirst: boolean, town: string}} Reading day: of rows without one; town: for addresses without one */
/**
 * @typedef {object} Draft
 * @property {string} address to search and to keep
 * @property {{lat: number, lon: number}|null} at coordinates of the list
 * @property {Window|null} window
 * @property {{name?: string, phone?: string, email?: string, language?: string}|null} customer
 * @property {string|undefined} instructions
 * @property {string|undefined} reference
 * @property {RowProblem[]} problems
 */

/** @type {Readonly<Partial<Record<Field, number>>>} */
const LENGTHS = { name: 200, phone: 50, email: 254, instructions: 500, reference: 200 };
const ADDRESS_LENGTH = 500;
const WHOLE_DAY = { from: 0, to: 24 * 60 - 1 }; // of a date without a time

/**
 * @param {readonly string[]} cells @param {readonly (Field|null)[]} columns
 * @returns {Values}
 */
export function valuesOf(cells, columns) {
  /** @type {Values} */ const values = {};
  columns.forEach((field, n) => {
    const text = withoutGuard((cells[n] ?? '').trim());
    if (field && text) values[field] = text;
  });
  return values;
}

/** Without the apostrophe that spreadsheets get before texts that look like formulas. @param {string} text */
function withoutGuard(text) {
  return /^'[=+\-@]/.test(text) ? text.slice(1) : text;
}

/** @param {Values} values @param {Reading} reading @returns {Draft} */
export function draftOf(values, reading) {
  /** @type {RowProblem[]} */ const problems = [];
  const address = addressOf(values, reading.town);
  const at = coordinatesOf(values, problems);
  if (!address && !at) problems.push({ field: 'address', fault: 'missing' });
  if (address.length > ADDRESS_LENGTH) problems.push({ field: 'address', fault: 'long' });
  for (const [field, most] of Object.entries(LENGTHS)) {
    const text = values[/** @type {Field} */ (field)] ?? '';
    if (text.length > most) problems.push({ field: /** @type {Field} */ (field), fault: 'long' });
  }
  if (values.phone && !isPhone(values.phone)) problems.push({ field: 'phone', fault: 'bad' });
  if (values.email && !/^[^\s@]+@[^\s@]+$/.test(values.email)) problems.push({ field: 'email', fault: 'bad' });
  const language = languageOf(values.language, problems);
  const window = windowOf(values, reading, problems);
  const customer = present({ name: values.name, phone: values.phone, email: values.email, language });
  return { address, at, window, customer, instructions: values.instructions, reference: values.reference, problems };
}

/** @template {object} T @param {T} values @returns {T|null} without what is missing */
function present(values) {
  const kept = Object.entries(values).filter(([, value]) => value);
  return kept.length ? /** @type {T} */ (Object.fromEntries(kept)) : null;
}

/** One line from an address, or from its parts. @param {Values} values @param {string} town */
export function addressOf(values, town) {
  const street = [values.address ?? values.street ?? '', values.address ? '' : values.number ?? ''];
  const first = oneLine(street.filter(Boolean).join(' '));
  const place = [values.postcode, values.city].filter((part) => part && !first.includes(part)).join(' ');
  const whole = [first, place].filter(Boolean).join(', ');
  const lacksTown = town && first && !values.city && !whole.toLowerCase().includes(town.toLowerCase());
  return lacksTown ? `${whole}, ${town}` : whole;
}

/** @param {string} text */
function oneLine(text) {
  return text.split(/\s*[\r\n]+\s*/).filter(Boolean).join(', ').replace(/\s+/g, ' ');
}

/** Whether it can be a phone number: 5 to 15 digits and what people put between them. @param {string} text */
export function isPhone(text) {
  const digits = text.replace(/\D/g, '').length;
  return /^\+?[\d\s()./-]+(?:\s*(?:x|ext\.?|#|p\.)\s*\d{1,6})?$/i.test(text) && digits >= 5 && digits <= 21;
}

/** @param {Values} values @param {RowProblem[]} problems */
function coordinatesOf({ lat, lon }, problems) {
  if (!lat && !lon) return null;
  const [north, east] = [lat, lon].map((text) => Number((text ?? 'x').replace(',', '.')));
  if (Math.abs(north) <= 90 && Math.abs(east) <= 180) return { lat: north, lon: east };
  problems.push({ field: lat ? 'lat' : 'lon', fault: 'bad' });
  return null;
}

/** @param {string|undefined} text @param {RowProblem[]} problems @returns {string|undefined} a language tag */
function languageOf(text, problems) {
  if (!text) return undefined;
  try {
    return Intl.getCanonicalLocales(text.replaceAll('_', '-'))[0];
  } catch {
    problems.push({ field: 'language', fault: 'bad' });
    return undefined;
  }
}

/** @param {Values} values @param {Reading} reading @param {RowProblem[]} problems @returns {Window|null} */
function windowOf(values, reading, problems) {
  const day = values.date ? dayOf(values.date, reading.today, reading.monthFirst) : reading.day;
  if (!day) problems.push({ field: 'date', fault: 'bad' });
  const hasTime = values.window || values.from || values.to;
  const timed = day && (values.window ? inOneCell(values.window, day, problems) : inTwoCells(values, day, reading, problems));
  const window = day && values.date && !hasTime ? windowAt(day, WHOLE_DAY) : timed;
  if (window && Date.parse(window.to) <= reading.now) problems.push({ field: values.window ? 'window' : 'to', fault: 'past' });
  return window || null;
}

/** @param {string} text @param {Day} day @param {RowProblem[]} problems @returns {Window|null} */
function inOneCell(text, day, problems) {
  const minutes = minutesWindow(text);
  if (!minutes) problems.push({ field: 'window', fault: 'bad' });
  return minutes && windowAt(day, minutes);
}

/** @param {Values} values @param {Day} day @param {Reading} reading @param {RowProblem[]} problems @returns {Window|null} */
function inTwoCells(values, day, reading, problems) {
  const [from, to] = /** @type {const} */ (['from', 'to']).map((field) => {
    const text = values[field];
    const moment = text ? momentOf(text, day, reading.today, reading.monthFirst) : null;
    if (text && !moment) problems.push({ field, fault: 'bad' });
    return moment;
  });
  if ((!from && !to) || (values.from && !from) || (values.to && !to)) return null;
  const hour = ONE_TIME * 60_000;
  const begin = from ?? new Date(Number(to) - hour);
  let end = to ?? new Date(Number(from) + hour);
  if (end < begin && Number(begin) - Number(end) < 24 * hour) end = new Date(Number(end) + 24 * hour); // past midnight
  if (end < begin) problems.push({ field: 'to', fault: 'bad' });
  return end < begin ? null : { from: begin.toISOString(), to: end.toISOString() };
}
