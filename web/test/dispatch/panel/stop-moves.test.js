import assert from 'node:assert/strict';
import { test } from 'node:test';

import { canMove, moved } from '../../../src/dispatch/panel/stop-moves.js';

/** @typedef {import('../../../src/dispatch/panel/stop-moves.js').Stop} Stop */

/** @type {Stop[]} */
const STOPS = [{ order_id: 'a', kind: 'pickup' }, { order_id: 'b', kind: 'dropoff' }, { order_id: 'a', kind: 'dropoff' }];

test('a stop changes places with its neighbour', () => {
  assert.deepEqual(moved(STOPS, 1, -1).map(({ order_id, kind }) => `${order_id} ${kind}`), ['b dropoff', 'a pickup', 'a dropoff']);
  assert.equal(STOPS[0].order_id, 'a');
});

test('not past the ends, and no pickup past its dropoff', () => {
  assert.deepEqual([canMove(STOPS, 0, -1), canMove(STOPS, 2, 1), canMove(STOPS, 1, 1)], [false, false, true]);
  const near = moved(STOPS, 1, -1);
  assert.equal(canMove(near, 1, 1), false);
  assert.deepEqual(moved(near, 1, 1), near);
});
