/**
 * Journal: which rows this browser has made orders of within a day, so that a list that is pasted again, even corrected,
 * doubles nothing. It keeps hashes and ids of orders, and nothing of a customer.
 */

import { plain } from './columns.js';

/** @typedef {import('./import-list.js').Row} Row */
/** @typedef {Pick<Storage, 'getItem'|'setItem'>} Keeper */
/** @typedef {Record<string, [id: string, at: number]>} Entries by hash; at: milliseconds */

const KEPT = 24 * 3_600_000; // milliseconds
const MOST = 10_000; // entries, about 600 kB

export class Journal {
  /** @param {string} service its base URL @param {Keeper} storage @param {() => number} [now] milliseconds */
  constructor(service, storage, now = Date.now) {
    this._name = `tracker list ${service}`;
    this._storage = storage;
    this._now = now;
  }

  /** Ids of the orders that were made of these rows. @param {readonly Row[]} rows @returns {{ids: Map<Row, string>, since: number}} since: the earliest, milliseconds */
  find(rows) {
    const entries = this._read();
    /** @type {Map<Row, string>} */ const ids = new Map();
    /** @type {Set<string>} */ const taken = new Set();
    let since = this._now();
    for (const row of rows) {
      const [id, at] = entries[hashOf(row)] ?? [];
      if (!id || !at || taken.has(id)) continue; // a row that stands twice may be two orders
      ids.set(row, id);
      taken.add(id);
      since = Math.min(since, at);
    }
    return { ids, since };
  }

  /** @param {readonly Row[]} rows that are orders now */
  add(rows) {
    const now = this._now();
    const fresh = rows.flatMap((row) => (row.order ? [[hashOf(row), [row.order.id, now]]] : []));
    const entries = Object.entries({ ...this._read(), ...Object.fromEntries(fresh) });
    const kept = entries.toSorted(([, [, one]], [, [, other]]) => other - one).slice(0, MOST);
    try {
      this._storage.setItem(this._name, JSON.stringify(Object.fromEntries(kept)));
    } catch {
      // no storage: only the service's own memory of the whole list is left
    }
  }

  /** @returns {Entries} of the last day */
  _read() {
    try {
      const found = Object.entries(JSON.parse(this._storage.getItem(this._name) ?? '{}'));
      return Object.fromEntries(found.filter(([, entry]) => Array.isArray(entry) && entry[1] > this._now() - KEPT));
    } catch {
      return {}; // damaged, or no storage
    }
  }
}

/** A hash of 53 bits (cyrb53) of what the row says. @param {Row} row @returns {string} */
export function hashOf({ values, draft }) {
  const texts = Object.entries(values).map(([field, text]) => `${field}=${plain(text ?? '')}`).toSorted();
  const whole = JSON.stringify([texts, draft.window?.from ?? '']);
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let n = 0; n < whole.length; n++) {
    const code = whole.charCodeAt(n);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return (4_294_967_296 * (2_097_151 & low) + (high >>> 0)).toString(36);
}
