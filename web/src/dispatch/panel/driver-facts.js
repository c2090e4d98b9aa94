/** DriverFacts: what the stream knows of a driver, as names and values. Pure. */

import { dutyOf } from '../fleet/duties.js';
import { nameOf, silenceText } from '../list/order-row.js';

/** @typedef {import('../../drive/translations.js').Translations} Translations */

/**
 * @param {string} id @param {{fleet: import('../fleet/fleet.js').Fleet, now: number}} board @param {Translations} words
 * @returns {import('./order-facts.js').Facts}
 */
export function driverFacts(id, { fleet, now }, words) {
  const driver = fleet.driver(id);
  if (!driver) return { title: words.say('driver.unknown'), facts: [] };
  const { position, device, silence } = driver;
  const battery = device?.battery;
  const orders = driver.orders.map((order) => nameOf(fleet.orders.get(order) ?? { id: order }));
  const facts = /** @type {[string, string][]} */ ([
    [words.say('fact.duty'), words.say(`duty.${dutyOf(driver)}`)],
    [words.say('fact.risk'), silence ? silenceText(silence, words, now) : ''],
    [words.say('fact.seen'), position ? words.say('ago', { age: words.duration((now - Date.parse(position.recorded_at)) / 1000) }) : ''],
    [words.say('fact.battery'), typeof battery === 'number' ? words.percent(battery) : ''],
    [words.say('fact.vehicle'), words.say(`vehicle.${driver.vehicle}`)],
    [words.say('fact.reference'), driver.reference ?? ''],
    [words.say('fact.orders'), orders.length ? words.list(orders) : words.say('fact.orders.none')],
  ]);
  return { title: driver.name, facts: facts.filter(([, value]) => value) };
}
