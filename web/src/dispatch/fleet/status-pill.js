/** StatusPill: the connection, and how old what the page shows is. Pure. */

/** @typedef {import('../../live-stream.js').Connection} Connection */
/** @typedef {import('../../translations.js').Translations} Translations */

const AGE_SHOWN_AFTER_S = 10; // without contact

/**
 * @param {Connection} connection @param {number} age of what is shown, seconds @param {boolean} complete whether there is anything to show
 * @param {Translations} words @returns {{kind: 'live'|'waiting'|'offline', text: string}}
 */
export function statusPill(connection, age, complete, words) {
  const isKnown = complete && age > AGE_SHOWN_AFTER_S;
  const said = (/** @type {string} */ name) => {
    const state = words.say(name);
    return isKnown ? words.say('pill.with', { state, age: words.duration(age) }) : state;
  };
  if (connection === 'live' || connection === 'quiet') return complete ? { kind: 'live', text: words.say('pill.live') } : { kind: 'waiting', text: words.say('pill.loading') };
  if (connection === 'offline') return { kind: 'offline', text: said('pill.offline') };
  if (connection === 'over') return { kind: 'offline', text: said('pill.over') };
  return { kind: 'waiting', text: connection === 'connecting' ? words.say('pill.connecting') : said('pill.reconnecting') };
}
