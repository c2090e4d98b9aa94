import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pill, pillTitle } from '../src/pill.js';

const OPEN = { ended: null, visibility: 'live' };
const of = (connection, fresh = 'live', age = 0, state = OPEN) => pill(state, connection, fresh, age).join(': ');

test('live is said only of what is connected and fresh', () => {
  assert.equal(of('live'), 'live: Live');
  assert.equal(of('live', 'stale', 40_000), 'stale: Last seen 40 s ago');
  assert.equal(of('live', 'lost', 130_000), 'stale: Last seen 2 min ago');
  assert.equal(of('quiet'), 'waiting: Reconnecting…');
});

test('without a connection the age of what is shown is told as well', () => {
  assert.equal(of('offline'), 'offline: Offline');
  assert.equal(of('offline', 'stale', 60_000), 'offline: Offline · last seen 1 min ago');
  assert.equal(of('reconnecting', 'lost', 180_000), 'waiting: Reconnecting… · last seen 3 min ago');
});

test('the end of an order is not the loss of a connection', () => {
  assert.equal(of('over', 'none', 0, { ended: 'delivered', visibility: 'ended' }), 'over: Ended');
  assert.equal(of('over'), 'offline: Not connected');
});

test('a plainer way is mentioned only to those who look closely', () => {
  assert.equal(pillTitle('live', 'websocket'), '');
  assert.match(pillTitle('live', 'polling'), /asking/);
  assert.equal(pillTitle('reconnecting', 'polling'), '');
});
