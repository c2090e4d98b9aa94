/** Pill: how the connection and the age of what is shown are told, in a word or two. Pure. */

import { lastSeen } from './card.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./stream.js').Connection} Connection */
/** @typedef {'live'|'waiting'|'stale'|'offline'|'over'} Kind */

const WAYS = /** @type {Record<string, string>} */ ({
  events: 'Connected by server-sent events', polling: 'Connected by asking again and again',
});

/**
 * @param {State} state
 * @param {Connection} connection
 * @param {import('./state.js').Freshness} fresh
 * @param {number} age of the position, milliseconds
 * @returns {[Kind, string]}
 */
export function pill(state, connection, fresh, age) {
  const old = fresh === 'stale' || fresh === 'lost';
  const since = old ? ` · ${lastSeen(age).toLowerCase()}` : '';
  switch (connection) {
    case 'over':
      return state.ended || state.visibility === 'ended' ? ['over', 'Ended'] : ['offline', 'Not connected'];
    case 'offline':
      return ['offline', `Offline${since}`];
    case 'connecting':
      return ['waiting', 'Connecting…'];
    case 'live':
      return old ? ['stale', lastSeen(age)] : ['live', 'Live'];
    default:
      return ['waiting', `Reconnecting…${since}`];
  }
}

/** Only where it is not the usual way. @param {Connection} connection @param {string} way */
export function pillTitle(connection, way) {
  return connection === 'live' ? (WAYS[way] ?? '') : '';
}
