/** Pill: the connection and the position's age, in a word or two. Pure. */

import { lastSeen } from './card.js';

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('./stream.js').Connection} Connection */
/** @typedef {'live'|'waiting'|'stale'|'offline'|'over'} Kind */

const TITLES = /** @type {Record<string, string>} */ ({
  events: 'Connected by server-sent events', polling: 'Connected by polling',
});

/**
 * @param {State} state
 * @param {Connection} connection
 * @param {import('../types/order.js').Freshness} fresh
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

/** The title of a fallback transport; empty for WebSocket. @param {Connection} connection @param {string} transport */
export function pillTitle(connection, transport) {
  return connection === 'live' ? (TITLES[transport] ?? '') : '';
}
