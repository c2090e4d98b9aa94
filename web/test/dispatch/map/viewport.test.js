import assert from 'node:assert/strict';
import { test } from 'node:test';

import { boxOf, viewportOf, wrapped } from '../../../src/dispatch/map/viewport.js';

test('it is a quarter wider than the map on each side', () => {
  assert.deepEqual(viewportOf([24, 60, 25, 62]), [23.75, 59.5, 25.25, 62.5]);
  assert.deepEqual(viewportOf([24, 80, 25, 90])?.[3], 90);
});

test('across the antimeridian west is greater than east, on any turn of the map', () => {
  assert.deepEqual(viewportOf([179, 0, 181, 1]), [178.5, -0.25, -178.5, 1.25]);
  assert.deepEqual(viewportOf([539, 0, 541, 1]), [178.5, -0.25, -178.5, 1.25]);
  assert.deepEqual([wrapped(181), wrapped(-541), wrapped(24)], [-179, 179, 24]);
});

test('a map of the whole world has no bounds', () => {
  assert.equal(viewportOf([-170, -60, 170, 80]), null);
});

test('the smallest box around places', () => {
  assert.deepEqual(boxOf([[1, 5], [-2, 7]]), [-2, 5, 1, 7]);
  assert.equal(boxOf([]), null);
});
