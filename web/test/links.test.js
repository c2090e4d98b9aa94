import assert from 'node:assert/strict';
import { test } from 'node:test';

import { edgeTowards, linksBetween } from '../src/links.js';
import { assertNear, present } from './fixtures.js';

/** @typedef {import('../src/path.js').LonLat} LonLat */

const DOOR = /** @type {LonLat} */ ([24.95, 60.17]);
const COURIER = /** @type {LonLat} */ ([24.5, 60.17]);

test('without a route a straight line joins courier and door', () => {
  assert.deepEqual(linksBetween([], COURIER, DOOR), { direct: [COURIER, DOOR], last: [] });
  assert.deepEqual(linksBetween([], null, DOOR), { direct: [], last: [] });
  assert.deepEqual(linksBetween([], DOOR, DOOR), { direct: [], last: [] });
});

test('a route that ends on the street is joined with the door', () => {
  const street = /** @type {LonLat} */ ([24.951, 60.17]);
  assert.deepEqual(linksBetween([COURIER, street], COURIER, DOOR), { direct: [], last: [street, DOOR] });
  assert.deepEqual(linksBetween([COURIER, DOOR], COURIER, DOOR), { direct: [], last: [] });
});

test('an arrow stands at the edge in the direction of what is outside', () => {
  const box = { left: 100, top: 0, right: 300, bottom: 100 };
  assert.equal(edgeTowards({ x: 250, y: 50 }, box), null);
  const right = present(edgeTowards({ x: 900, y: 50 }, box));
  assert.deepEqual([right.x, right.y, right.angle], [300, 50, 90]);
  const above = present(edgeTowards({ x: 200, y: -500 }, box));
  assertNear(above.x, 200, 1e-6);
  assert.deepEqual([above.y, Math.abs(above.angle)], [0, 0]);
  const corner = present(edgeTowards({ x: 0, y: 200 }, box));
  assertNear(corner.angle, -126.87, 0.01);
  assert.ok(corner.x >= 100 && corner.y <= 100);
});
