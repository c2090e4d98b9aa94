/** Order draft: what the new-order form sends, and next to which field an error of the API belongs. Pure. */

import { isPhone } from './list/rows.js';

/** @typedef {{lat: number, lon: number}} Place */
/** @typedef {{text: string, picked: (Place & {precision: string})|null, pin: Place|null}} Stop picked: a suggestion; pin: where a person put it */
/**
 * @typedef {object} Draft
 * @property {Stop} pickup
 * @property {Stop} dropoff
 * @property {Record<string, string>} texts of the other fields, by name
 * @property {readonly string[]} proofs of the dropoff: `photo`, `signature`, `pin`
 * @property {string|null} driver its id
 */

/** Fields of the form by the path that the API names. @type {Readonly<Record<string, string>>} */
const FIELDS = {
  'customer.name': 'name', 'customer.phone': 'phone', 'customer.email': 'email', 'customer.language': 'language',
  'window.from': 'from', 'window.to': 'to', window: 'to', instructions: 'instructions', reference: 'reference', driver_id: 'driver',
};

/** @param {Draft} draft @param {boolean} [exact] send the places of suggestions too @returns {object} */
export function bodyOf({ pickup, dropoff, texts, proofs, driver }, exact = false) {
  const customer = filled({ name: texts.name, phone: texts.phone, email: texts.email, language: texts.language });
  const window = texts.from && texts.to ? { from: instant(texts.from), to: instant(texts.to) } : undefined;
  return {
    pickup: stopOf(pickup, exact),
    dropoff: stopOf(dropoff, exact),
    ...filled({ reference: texts.reference, instructions: texts.instructions }),
    ...(Object.keys(customer).length ? { customer } : {}),
    ...(window ? { window } : {}),
    ...(proofs.length ? { requirements: requirementsOf(proofs) } : {}),
    ...(driver ? { driver_id: driver } : {}),
  };
}

/** @param {readonly string[]} proofs */
export function requirementsOf(proofs) {
  return { dropoff: Object.fromEntries(proofs.map((kind) => [kind, true])) };
}

/**
 * An address that was only typed or suggested goes alone, so that the order keeps how well the map knows it.
 * @param {Stop} stop @param {boolean} exact
 */
export function stopOf({ text, picked, pin }, exact) {
  const place = pin ?? (exact ? picked : null);
  return { ...(text ? { address: text } : {}), ...(place ? { lat: place.lat, lon: place.lon } : {}) };
}

/** What the form itself can see, by field. @param {Draft} draft @param {(name: string) => string} say @returns {[string, string][]} */
export function faultsOf({ pickup, dropoff, texts }, say) {
  /** @type {[string, string][]} */ const faults = [];
  for (const [name, stop] of /** @type {[string, Stop][]} */ ([['pickup', pickup], ['dropoff', dropoff]])) {
    if (!stop.text && !stop.pin) faults.push([name, say('new.needed')]);
  }
  if (texts.phone && !isPhone(texts.phone)) faults.push(['phone', say('fault.phone.bad')]);
  if (Boolean(texts.from) !== Boolean(texts.to)) faults.push([texts.from ? 'to' : 'from', say('new.both_times')]);
  else if (texts.from && texts.to < texts.from) faults.push(['to', say('new.times_swapped')]);
  return faults;
}

/** @param {string} path that the API names @returns {string} the form's field; `` if none belongs to it */
export function fieldOf(path) {
  if (path.startsWith('pickup')) return 'pickup';
  if (path.startsWith('dropoff')) return 'dropoff';
  return FIELDS[path] ?? '';
}

/** @param {string} local of `datetime-local`, in the browser's time zone */
function instant(local) {
  return new Date(local).toISOString();
}

/** @param {Record<string, string>} texts @returns {Record<string, string>} */
function filled(texts) {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, (text ?? '').trim()]).filter(([, text]) => text));
}
