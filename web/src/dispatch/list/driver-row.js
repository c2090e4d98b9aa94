/** DriverRow: what a row of the list of drivers says, and in which sequence they come. Pure. */

import { DUTIES, dutyOf } from '../fleet/duties.js';
import { includesAll, wordsOf } from '../fleet/risks.js';
import { silenceText } from './order-row.js';

/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {import('../fleet/duties.js').Duty} Duty */

const FRESH = 30; // seconds: a position of the moment needs no age

/**
 * @param {Iterable<FleetDriver>} drivers @param {string} text to find
 * @returns {Record<Duty, FleetDriver[]>} each by name
 */
export function byDuty(drivers, text) {
  /** @type {Record<Duty, FleetDriver[]>} */ const groups = { silent: [], busy: [], free: [], break: [], off: [] };
  const words = wordsOf(text);
  for (const driver of drivers) {
    if (!words.length || includesAll([driver.name, driver.reference, driver.id], words)) groups[dutyOf(driver)].push(driver);
  }
  for (const duty of DUTIES) groups[duty].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return groups;
}

/**
 * @param {FleetDriver} driver @param {import('../../drive/translations.js').Translations} words @param {number} now milliseconds
 * @returns {{id: string, name: string, seen: string, orders: string, silence: string, battery: string, duty: Duty}}
 */
export function driverRow(driver, words, now) {
  const { position, device, silence } = driver;
  const battery = device?.battery;
  const age = position ? (now - Date.parse(position.recorded_at)) / 1_000 : 0;
  return {
    id: driver.id, name: driver.name,
    duty: dutyOf(driver), seen: age > FRESH ? words.say('ago', { age: words.duration(age) }) : '',
    orders: words.say('driver.orders', { count: driver.orders.length }),
    silence: silence ? silenceText(silence, words, now) : '',
    battery: typeof battery === 'number' && device?.battery_low ? words.say('risk.battery_low.at', { share: words.percent(battery) }) : '',
  };
}
