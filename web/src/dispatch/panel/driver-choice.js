/** DriverChoice: which drivers to offer for an order, the likeliest first. Pure. */

import { distance } from '../../path.js';
import { dutyOf } from '../fleet/duties.js';
import { includesAll, wordsOf } from '../fleet/risks.js';

/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {{driver: FleetDriver, duty: import('../fleet/duties.js').Duty, distance: number|null}} Choice distance: metres to the pickup */

const RANKS = { free: 0, busy: 0, break: 1, silent: 2, off: 3 };
const FAR = 1e9; // metres, of a driver whose place is unknown
const ORDER_COSTS = 700; // metres of way that an order in hand counts for

/**
 * Drivers who work come first, then those near the pickup with few orders.
 * @param {Iterable<FleetDriver>} drivers @param {{pickup: {lat: number, lon: number}, driver_id: string|null}} order
 * @param {string} text to find @param {number} limit
 * @returns {Choice[]}
 */
export function choices(drivers, order, text, limit) {
  const words = wordsOf(text);
  const found = [];
  for (const driver of drivers) {
    if (driver.id === order.driver_id || !includesAll([driver.name, driver.reference], words)) continue;
    const { position } = driver;
    const way = position && distance([position.lon, position.lat], [order.pickup.lon, order.pickup.lat]);
    found.push({ driver, duty: dutyOf(driver), distance: way, cost: (way ?? FAR) + ORDER_COSTS * driver.orders.length });
  }
  found.sort((a, b) => RANKS[a.duty] - RANKS[b.duty] || a.cost - b.cost || a.driver.name.localeCompare(b.driver.name));
  return found.slice(0, limit).map(({ driver, duty, distance: way }) => ({ driver, duty, distance: way }));
}

/** @param {Choice} choice @param {import('../../drive/translations.js').Translations} words @returns {string} such as `Free · 1.2 km · 2 orders` */
export function choiceText({ driver, duty, distance: way }, words) {
  const far = way === null ? '' : way < 1_000 ? words.amount(Math.round(way / 10) * 10, 'meter') : words.amount(way / 1_000, 'kilometer');
  return [words.say(`duty.${duty}`), far, words.say('driver.orders', { count: driver.orders.length })].filter(Boolean).join(' · ');
}
