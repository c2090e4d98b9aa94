/** Typed values that several tests start from. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { begin } from '../src/state.js';
import { Translations } from '../src/translations.js';

/** @typedef {import('../src/path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').LineString} LineString */
/** @typedef {import('../types/order.js').Snapshot} Snapshot */
/** @typedef {import('../types/order.js').State} State */

/** @param {string} name below `tests/samples` @returns {unknown} */
export function sample(name) {
  return JSON.parse(readFileSync(new URL(`../../tests/samples/${name}`, import.meta.url), 'utf8'));
}

export const SNAPSHOT = /** @type {Snapshot} */ (sample('to_customer.snapshot.json'));

/** @param {Partial<State>} [fields] in place of the sample's @returns {State} */
export function stateOf(fields = {}) {
  return { ...begin(SNAPSHOT), ...fields };
}

/** @param {LonLat[]} coordinates @returns {LineString} */
export function lineOf(...coordinates) {
  return { type: 'LineString', coordinates };
}

/** @param {number} lon @param {number} lat @returns {import('../types/order.js').Position} */
export function positionAt(lon, lat) {
  return { lon, lat, heading: 0, speed: 5, recorded_at: SNAPSHOT.now };
}

/** @template T @param {T|null|undefined} value @returns {T} the value, which must be present */
export function present(value) {
  assert.ok(value !== null && value !== undefined);
  return value;
}

/** @param {number} actual @param {number} expected @param {number} tolerance */
export function assertNear(actual, expected, tolerance) {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

/** @typedef {{base: Snapshot, cards: {name: string, locale?: string, change: Record<string, unknown>, card: object}[]}} CardSamples */

/** A sample's snapshot: `order` and `eta` get the changed fields, anything else is replaced. @param {Snapshot} base @param {Record<string, unknown>} change */
export function snapshotWith(base, change) {
  const fields = /** @type {Record<string, unknown>} */ ({ ...base, ...change });
  for (const name of /** @type {const} */ (['order', 'eta'])) if (change[name]) fields[name] = { ...base[name], ...change[name] };
  return /** @type {Snapshot} */ (fields);
}

/** The customer's words. @param {string} locale as the page's, without the digits @returns {Translations} */
export function wordsIn(locale) {
  const [language] = locale.split('-');
  const messages = JSON.parse(readFileSync(new URL(`../messages/track/${language}.json`, import.meta.url), 'utf8'));
  return new Translations(language, messages, language === 'ar' ? `${locale}-u-nu-latn` : locale);
}
