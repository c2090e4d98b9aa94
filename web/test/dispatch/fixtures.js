/** Drivers and orders as the stream sends them, for the tests. */

import { readFileSync } from 'node:fs';

import { Translations } from '../../src/drive/translations.js';

export const NOW = '2026-11-22T16:43:00.000Z';

/** @param {string} language @returns {Translations} */
export function wordsIn(language) {
  const file = new URL(`../../messages/dispatch/board/${language}.json`, import.meta.url);
  return new Translations(language, JSON.parse(readFileSync(file, 'utf8')));
}

/** @param {Partial<import('../../types/fleet.js').FleetDriver>} [more] @returns {import('../../types/fleet.js').FleetDriver} */
export function driver(more = {}) {
  return {
    id: 'drv_1', position: { lat: 60.17, lon: 24.94, heading: 0, speed: 5, recorded_at: NOW }, freshness: 'live',
    name: 'Aino Korhonen', vehicle: 'car', reference: null, duty: { on: true, on_break: false }, device: null, silence: null,
    off_route: false, orders: [], ...more,
  };
}

/** @param {Partial<import('../../types/fleet.js').FleetOrder>} [more] @returns {import('../../types/fleet.js').FleetOrder} */
export function order(more = {}) {
  return {
    id: 'ord_1', reference: 'A-1', status: 'assigned', driver_id: 'drv_1', created_at: NOW,
    pickup: { lat: 60.1713, lon: 24.944, address: 'Rautatientori' }, dropoff: { lat: 60.1666, lon: 24.9486, address: 'Kasarmikatu 36' },
    window: null, eta: null, late_s: null, risks: [], attempt: 1, version: 1, ...more,
  };
}

/** @param {string} arrives_at @returns {import('../../types/order.js').Eta} */
export function eta(arrives_at) {
  return { arrives_at, earliest: arrives_at, latest: arrives_at, distance_m: 900, basis: 'route', stale: false };
}
