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
  if (connection === 'over') return state.ended || state.visibility === 'ended' ? ['over', 'Ended'] : ['offline', 'Not connected'];
  const old = fresh === 'stale' || fresh === 'lost';
  if (connection === 'offline') return ['offline', old ? `Offline · ${lastSeen(age).toLowerCase()}` : 'Offline'];
  if (connection === 'connecting') return ['waiting', 'Connecting…'];
  if (connection !== 'live') return ['waiting', old ? `Reconnecting… · ${lastSeen(age).toLowerCase()}` : 'Reconnecting…'];
  return old ? ['stale', lastSeen(age)] : ['live', 'Live'];
}

/** Only where it is not the usual way. @param {Connection} connection @param {string} way */
export function pillTitle(connection, way) {
  return connection === 'live' ? (WAYS[way] ?? '') : '';
}
