import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fit } from '../src/sketch.js';
import { assertNear } from './fixtures.js';

const ROOM = { top: 100, right: 50, bottom: 60, left: 400 };

test('every place is drawn beside the card, north up and true to scale', () => {
  const places = /** @type {import('./fixtures.js').LonLat[]} */ ([[24.94, 60.17], [24.95, 60.17], [24.95, 60.175]]);
  const { at } = fit(places, 1200, 800, ROOM);
  const points = places.map(at);
  for (const [x, y] of points) assert.ok(x >= 400 && x <= 1150 && y >= 100 && y <= 740, `${x} ${y}`);
  assert.ok(points[2][1] < points[1][1]);
  assertNear((points[1][0] - points[0][0]) / (points[1][1] - points[2][1]), 553.3 / 556, 0.01); // metres east over metres north
});

test('a single place stands in the middle, a short way is not blown up', () => {
  assert.deepEqual(fit([[25, 60]], 1200, 800, ROOM).at([25, 60]), [775, 420]);
  const { at } = fit([[25, 60], [25, 60.0001]], 1200, 800, ROOM);
  assertNear(at([25, 60])[1] - at([25, 60.0001])[1], 22.2, 0.1); // 11 m
});

test('a frame smaller than its padding is survived', () => {
  assert.ok(fit([[25, 60], [25.1, 60.1]], 100, 100, ROOM).at([25, 60]).every(Number.isFinite));
});
