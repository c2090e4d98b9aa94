/** Timeline: what happened to an order, a line each. Pure. */

/** @typedef {import('../../drive/translations.js').Translations} Translations */
/** @typedef {{at: string, kind: string, [more: string]: any}} Entry as `GET …/history` has them */

/**
 * @param {Entry[]} timeline @param {(id: string) => string} driverName @param {Translations} words @param {number} now milliseconds
 * @returns {{at: string, time: string, text: string, kind: string}[]} oldest first
 */
export function timelineRows(timeline, driverName, words, now) {
  return timeline.map((entry) => ({
    at: entry.at, kind: entry.kind, time: words.time(entry.at, undefined, now),
    text: [titleOf(entry, words), ...details(entry, driverName, words)].filter(Boolean).join(' · '),
  }));
}

/** @param {Entry} entry @param {Translations} words */
function titleOf({ kind, from, stop }, words) {
  if (kind === 'message') return words.say(from === 'customer' ? 'timeline.message.customer' : 'timeline.message.driver');
  if (kind === 'proof') return words.say('timeline.proof', { stop: words.say(stop === 'pickup' ? 'fact.pickup' : 'fact.dropoff') });
  return words.has(`timeline.${kind}`) ? words.say(`timeline.${kind}`) : kind.replaceAll('_', ' ');
}

/** @param {Entry} entry @param {(id: string) => string} driverName @param {Translations} words @returns {string[]} */
function details(entry, driverName, words) {
  const { driver_id, outcome, reason, text, proof, stars, verified, override } = entry;
  return [
    driver_id ? driverName(driver_id) : '',
    outcome ? words.say(`outcome.${outcome}`) : '', reason ?? '', text ?? '',
    proof ? words.say(`proof.${proof}`) : '',
    stars ? words.say('timeline.stars', { count: stars }) : '',
    verified === false ? words.say('timeline.unverified') : '',
    override ? words.say('timeline.override') : '',
  ];
}
