/** Creation: sends the orders of a list in parts, again if there is no answer, and never twice. Pure but for `api`. */

import { orderOf } from './import-list.js';

/** @typedef {import('./import-list.js').ImportList} ImportList */
/** @typedef {import('./import-list.js').Meaning} Meaning */
/** @typedef {import('./import-list.js').Row} Row */
/** @typedef {{post: (path: string, body?: object, key?: string) => Promise<any>}} Poster */
/** @typedef {{status: number, retryAfter?: number}} Failure a Problem of the API; status 0: there was no answer */
/** @typedef {{signal?: AbortSignal, onProgress?: (rows: readonly Row[]) => void, wait?: (milliseconds: number) => Promise<void>}} Options */

export const PART = 50; // orders in one request: a progress bar that moves, and little to send again
export const ADDRESSES = 25; // in one request: each takes the service some milliseconds
const TRIES = 6;
const SLACK = 600_000; // milliseconds that the browser's clock and the service's may differ, and that a request takes
const FIRST_PAUSE = 1_000; // milliseconds; it doubles

/**
 * Find where the rows are.
 * @param {ImportList} list @param {Poster} api @param {Options} [options]
 * Rejects with a Problem if the service cannot.
 */
export async function locateAll(list, api, options = {}) {
  const addresses = list.unknownAddresses();
  for (let n = 0; n < addresses.length && !options.signal?.aborted; n += ADDRESSES) {
    const part = addresses.slice(n, n + ADDRESSES);
    const { items } = await again(() => api.post('v1/geocode', { addresses: part }), options);
    list.locate(part, items);
    options.onProgress?.([]);
  }
}

/**
 * Create an order for each row that is ready. A part that fails is sent again with its own key, so no order is doubled.
 * The key is made from the orders themselves: the same list, sent twice within a day, gives the same orders.
 * @param {ImportList} list @param {Poster} api @param {object} common of all orders @param {Options} [options]
 * Rejects with a Problem when the service cannot go on; what was created stays, and a second call does the rest.
 */
export async function createAll(list, api, common, options = {}) {
  for (const rows of parts(list.sendable())) {
    if (options.signal?.aborted) return;
    const body = { orders: rows.map((row) => orderOf(row, common)) };
    const key = await keyOf(body);
    const { items } = await again(() => api.post('v1/orders/bulk', body, key), options);
    rows.forEach((row, n) => list.settle(row, items[n]));
    options.onProgress?.(rows);
  }
}

/**
 * Give rows back the orders that were made of them before, if those still count.
 * @param {Map<Row, string>} ids of the orders @param {number} since when the first was made, milliseconds @param {{get: (path: string) => Promise<any>}} api
 */
export async function restoreAll(ids, since, api) {
  const rows = new Map([...ids].map(([row, id]) => [id, row]));
  const from = encodeURIComponent(new Date(since - SLACK).toISOString());
  for (let cursor = ''; rows.size; ) {
    const page = await api.get(`v1/orders?limit=500&from=${from}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    for (const { id, status, tracking_url: url } of page.items) {
      const row = rows.get(id);
      if (row && status !== 'cancelled') row.order = { id, url };
      rows.delete(id);
    }
    if (!page.next) return;
    cursor = page.next;
  }
}

/** Rows of one stretch of the list: a correction changes the key of its own part only. @param {readonly Row[]} rows @returns {Row[][]} */
export function parts(rows) {
  return [...Map.groupBy(rows, ({ number }) => Math.floor((number - 1) / PART)).values()];
}

/** @param {object} body @returns {Promise<string>} */
export async function keyOf(body) {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `list-${[...digest.subarray(0, 24)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * @template T
 * @param {() => Promise<T>} act @param {Options} options @returns {Promise<T>}
 */
async function again(act, { signal, wait = pause }) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      const { status, retryAfter = 0 } = /** @type {Failure} */ (error);
      if (!isPassing(status) || attempt >= TRIES || signal?.aborted) throw error;
      await wait(Math.max(retryAfter, FIRST_PAUSE * 2 ** (attempt - 1)));
    }
  }
}

/** Whether the same request may succeed later. @param {number} status */
function isPassing(status) {
  return status === 0 || status === 429 || status >= 500;
}

/** @param {number} milliseconds @returns {Promise<void>} */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
