/** Risks: which orders come first, in which group, and which of them a search finds. Pure. */

/** @typedef {import('../../../types/fleet.js').FleetOrder} FleetOrder */
/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {'risk'|'created'|'assigned'|'picked_up'} Group */

export const GROUPS = /** @type {const} */ (['risk', 'created', 'assigned', 'picked_up']);
const RANKS = /** @type {Record<string, number>} */ ({ late: 0, silent: 1, off_route: 2, stuck: 3, battery_low: 4 });
const LAST = 9; // of an order without risks
const NEVER = '9999'; // after each time

/** @param {FleetOrder} order @returns {Group} */
export function groupOf(order) {
  return order.risks.length ? 'risk' : /** @type {Group} */ (order.status);
}

/**
 * Worst first: by the worst risk, how late, then by when the customer expects the order.
 * @param {FleetOrder} a @param {FleetOrder} b
 */
export function byRisk(a, b) {
  const rank = rankOf(a) - rankOf(b);
  if (rank) return rank;
  const late = (b.late_s ?? 0) - (a.late_s ?? 0);
  if (late) return late;
  const [due, other] = [dueOf(a), dueOf(b)];
  if (due !== other) return due < other ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

/** @param {FleetOrder} order */
function rankOf({ risks }) {
  let best = LAST;
  for (const risk of risks) best = Math.min(best, RANKS[risk] ?? LAST - 1);
  return best;
}

/** @param {FleetOrder} order @returns {string} a time; all of the service's have the same form */
function dueOf(order) {
  return order.eta?.arrives_at ?? order.window?.to ?? (order.status === 'created' ? order.created_at : NEVER);
}

/**
 * @param {Iterable<FleetOrder>} orders
 * @param {string} text to find @param {(id: string|null) => FleetDriver|null} driverOf
 * @returns {Record<Group, FleetOrder[]>} each group sorted
 */
export function grouped(orders, text, driverOf) {
  /** @type {Record<Group, FleetOrder[]>} */ const groups = { risk: [], created: [], assigned: [], picked_up: [] };
  const words = wordsOf(text);
  for (const order of orders) {
    if (!words.length || matches(order, driverOf(order.driver_id), words)) groups[groupOf(order)]?.push(order);
  }
  for (const name of GROUPS) groups[name].sort(byRisk);
  return groups;
}

/** @param {string} text @returns {string[]} */
export function wordsOf(text) {
  return plain(text).split(/\s+/u).filter(Boolean);
}

/** Whether each word is in the order. @param {FleetOrder} order @param {FleetDriver|null} driver @param {string[]} words */
function matches(order, driver, words) {
  const { id, reference, pickup, dropoff } = order;
  return includesAll([id, reference, pickup.address, dropoff.address, driver?.name, driver?.reference], words);
}

/** @param {(string|null|undefined)[]} texts @param {string[]} words */
export function includesAll(texts, words) {
  const all = plain(texts.filter(Boolean).join('\n'));
  return words.every((word) => all.includes(word));
}

/** Without case and accents. @param {string} text */
function plain(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
