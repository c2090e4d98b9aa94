import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Path } from '../src/path.js';
import { before } from '../src/trail.js';

const ROUTE = new Path([[25, 60], [25, 60.01]]);

test('without a route the whole trail is drawn', () => {
  assert.deepEqual(before(null, [[24.99, 60], [25, 60]]), [[24.99, 60], [25, 60]]);
});

test('the trail ends where the route takes over, on the route itself', () => {
  const trail = [[24.98, 60.001], [24.99, 60.001], [25.0001, 60.001], [25, 60.002]];
  const drawn = before(ROUTE, trail);
  assert.equal(drawn.length, 3);
  assert.equal(drawn[2][0], 25);
});

test('a trail that never comes to the route stays whole', () => {
  assert.deepEqual(before(ROUTE, [[24, 60], [24.1, 60]]), [[24, 60], [24.1, 60]]);
});
