/** OrderRow: what a row of the list says. Pure. */

/** @typedef {import('../../../types/fleet.js').FleetOrder} FleetOrder */
/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {import('../../../types/fleet.js').Risk} Risk */
/** @typedef {import('../../drive/translations.js').Translations} Translations */
/**
 * @typedef {object} Row
 * @property {string} id @property {string} name the merchant's number, or the start of the id @property {string} place
 * @property {string} status @property {string} who @property {string} when @property {{kind: Risk, text: string}[]} risks
 */

const NAME_LENGTH = 10; // characters of an id that a person can tell from others

/** @param {{id: string, reference?: string|null}} named @returns {string} */
export function nameOf({ id, reference }) {
  return reference || `${id.slice(0, NAME_LENGTH)}…`;
}

/**
 * @param {FleetOrder} order @param {FleetDriver|null} driver @param {Translations} words @param {number} now milliseconds
 * @returns {Row}
 */
export function orderRow(order, driver, words, now) {
  return {
    id: order.id,
    name: nameOf(order),
    place: order.dropoff.address ?? placeOf(order.dropoff, words),
    status: words.say(`status.${order.status}`),
    who: driver ? driver.name : order.driver_id ? words.say('driver.unknown') : words.say('driver.none'),
    when: whenOf(order, words, now),
    risks: order.risks.map((kind) => ({ kind, text: riskText(kind, order, driver, words, now) })),
  };
}

/** @param {{lat: number, lon: number}} place @param {Translations} words */
export function placeOf({ lat, lon }, words) {
  return words.say('place', { lat: lat.toFixed(4), lon: lon.toFixed(4) });
}

/** @param {FleetOrder} order @param {Translations} words @param {number} now */
export function whenOf(order, words, now) {
  const { eta, window } = order;
  if (eta?.arrives_at) return words.say('eta.at', { time: words.time(eta.arrives_at, undefined, now) });
  if (!window) return '';
  return words.say('eta.window', words.range(window.from, window.to, undefined, now));
}

/**
 * @param {Risk} kind @param {FleetOrder} order @param {FleetDriver|null} driver @param {Translations} words @param {number} now
 * @returns {string}
 */
export function riskText(kind, order, driver, words, now) {
  if (kind === 'late' && order.late_s) return words.say('risk.late.by', { amount: words.duration(order.late_s) });
  if (kind === 'silent' && driver?.silence) return silenceText(driver.silence, words, now);
  const battery = driver?.device?.battery;
  if (kind === 'battery_low' && typeof battery === 'number') return words.say('risk.battery_low.at', { share: words.percent(battery) });
  return words.say(`risk.${kind}`);
}

/** @param {{since: string, reason: string}} silence @param {Translations} words @param {number} now */
export function silenceText({ since, reason }, words, now) {
  const age = words.duration((now - Date.parse(since)) / 1000);
  if (reason === 'unknown' || !words.has(`silence.${reason}`)) return words.say('risk.silent.for', { age });
  return words.say('risk.silent.why', { age, reason: words.say(`silence.${reason}`) });
}
