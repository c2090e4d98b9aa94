import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pill, pillTitle } from '../src/pill.js';
import { stateOf, wordsIn } from './fixtures.js';

const words = wordsIn('en-GB');

/**
 * @param {import('../src/stream.js').Connection} connection
 * @param {import('../types/order.js').Freshness} [fresh]
 */
const of = (connection, fresh = 'live', age = 0, state = stateOf()) => pill(state, connection, fresh, age, words).join(': ');

test('Live means connected and fresh', () => {
  assert.equal(of('live'), 'live: Live');
  assert.equal(of('live', 'stale', 40_000), 'stale: Last seen 40 secs ago');
  assert.equal(of('live', 'lost', 130_000), 'stale: Last seen 2 mins ago');
  assert.equal(of('quiet'), 'waiting: Reconnecting…');
});

test('before the assignment nobody is live, and a lost connection is told', () => {
  const nobody = stateOf({ driver: null, position: null });
  assert.equal(of('live', 'none', 0, nobody), 'live: ');
  assert.equal(of('connecting', 'none', 0, nobody), 'waiting: ');
  assert.equal(of('offline', 'none', 0, nobody), 'offline: Offline');
});

test('without a connection the age of the position is shown as well', () => {
  assert.equal(of('offline'), 'offline: Offline');
  assert.equal(of('offline', 'stale', 60_000), 'offline: Offline · last seen 1 min ago');
  assert.equal(of('reconnecting', 'lost', 180_000), 'waiting: Reconnecting… · last seen 3 mins ago');
});

test('the end of an order is not the loss of a connection', () => {
  assert.equal(of('over', 'none', 0, stateOf({ ended: 'delivered', visibility: 'ended' })), 'over: Ended');
  assert.equal(of('over'), 'offline: Not connected');
});

test('the title names a fallback transport only', () => {
  assert.equal(pillTitle('live', 'websocket', words), '');
  assert.equal(pillTitle('live', 'polling', words), 'Connected by polling');
  assert.equal(pillTitle('reconnecting', 'polling', words), '');
});
