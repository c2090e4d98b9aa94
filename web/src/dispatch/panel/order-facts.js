/** OrderFacts: what the stream knows of an order, as names and values. Pure. */

import { nameOf, placeOf, riskText, whenOf } from '../list/order-row.js';

/** @typedef {import('../../../types/fleet.js').FleetPlace} FleetPlace */
/** @typedef {import('../../drive/translations.js').Translations} Translations */
/** @typedef {{title: string, facts: [string, string][]}} Facts */

/**
 * @param {string} id @param {{fleet: import('../fleet/fleet.js').Fleet, now: number}} board @param {Translations} words
 * @param {any} [ended] the order as the API has it, once it is over
 * @returns {Facts}
 */
export function orderFacts(id, { fleet, now }, words, ended) {
  const order = /** @type {import('../../../types/fleet.js').FleetOrder|undefined} */ (fleet.orders.get(id) ?? (ended && { ...ended, risks: [] }));
  if (!order) return { title: words.say('order.title', { name: nameOf({ id }) }), facts: [[words.say('fact.status'), words.say('order.over')]] };
  const driver = fleet.driver(order.driver_id);
  const risks = order.risks.map((kind) => riskText(kind, order, driver, words, now));
  const facts = /** @type {[string, string][]} */ ([
    [words.say('fact.status'), words.say(`status.${order.status}`)],
    [words.say('fact.risk'), risks.join(' · ')],
    [words.say('fact.eta'), whenOf(order, words, now)],
    [words.say('fact.driver'), driver?.name ?? words.say('driver.none')],
    [words.say('fact.pickup'), addressOf(order.pickup, words)],
    [words.say('fact.dropoff'), addressOf(order.dropoff, words)],
    ...(ended ? customerFacts(ended, words) : []),
  ]);
  return { title: words.say('order.title', { name: nameOf(order) }), facts: facts.filter(([, value]) => value) };
}

/** What only the API knows. @param {any} order @param {Translations} words @returns {[string, string][]} */
function customerFacts({ customer, instructions, contact }, words) {
  return [
    [words.say('fact.customer'), [customer?.name, customer?.phone, customer?.email].filter(Boolean).join(' · ')],
    [words.say('fact.contact'), contact ?? ''],
    [words.say('fact.instructions'), instructions ?? ''],
  ];
}

/** @param {FleetPlace} place @param {Translations} words */
function addressOf(place, words) {
  return place.address ?? placeOf(place, words);
}
