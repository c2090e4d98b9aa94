/** Pill: the connection and the position's age, in a word or two. Pure. */

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('./translations.js').Translations} Translations */
/** @typedef {import('./stream.js').Connection} Connection */
/** @typedef {'live'|'waiting'|'stale'|'offline'|'over'} Kind */

const MINUTE = 60_000; // milliseconds
const HOUR = 60 * MINUTE;

/**
 * @param {State} state
 * @param {Connection} connection
 * @param {import('../types/order.js').Freshness} fresh
 * @param {number} age of the position, milliseconds
 * @param {Translations} words
 * @returns {[Kind, string]} an empty text: there is nothing to say
 */
export function pill(state, connection, fresh, age, words) {
  const isOld = fresh === 'stale' || fresh === 'lost';
  const since = ageIn(words, age);
  const said = (/** @type {string} */ name) => {
    const text = words.say(name);
    return isOld ? words.say('pill.with', { state: text, age: since }) : text;
  };
  switch (connection) {
    case 'over':
      return state.ended || state.visibility === 'ended' ? ['over', words.say('pill.ended')] : ['offline', words.say('pill.over')];
    case 'offline':
      return ['offline', said('pill.offline')];
    case 'connecting':
      return ['waiting', state.driver ? words.say('pill.connecting') : ''];
    case 'live':
      if (isOld) return ['stale', words.say('pill.seen', { age: since })];
      return ['live', state.driver ? words.say('pill.live') : ''];
    default:
      return ['waiting', said('pill.reconnecting')];
  }
}

/** The title of a fallback transport; empty for WebSocket. @param {Connection} connection @param {string} transport @param {Translations} words */
export function pillTitle(connection, transport, words) {
  return connection === 'live' && transport !== 'websocket' ? words.say(`pill.${transport}`) : '';
}

/** @param {Translations} words @param {number} age milliseconds @returns {string} such as `40 sec` */
export function ageIn(words, age) {
  if (age < MINUTE) return words.amount(Math.floor(age / 1000), 'second');
  return age < HOUR ? words.amount(Math.floor(age / MINUTE), 'minute') : words.amount(Math.floor(age / HOUR), 'hour');
}
