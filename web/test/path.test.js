import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Path, distance } from '../src/path.js';
import { assertNear } from './fixtures.js';

// 0.001 degrees of latitude are 111.195 m everywhere; of longitude half of that at 60 degrees north
const CORNER = new Path([[25, 60], [25, 60.001], [25.002, 60.001]]);

test('a path is as long as its pieces together', () => {
  assertNear(CORNER.length, 222.39, 0.3);
  assertNear(distance([25, 60], [25, 60.001]), 111.195, 0.01);
});

test('a place along the path lies on it, and beyond its ends is its end', () => {
  assertNear(CORNER.at(55.6)[1], 60.0005, 1e-6);
  assert.deepEqual(CORNER.at(-5), [25, 60]);
  assert.deepEqual(CORNER.at(1e6), [25.002, 60.001]);
});

test('the bearing is that of the piece: north first, then east', () => {
  assertNear(CORNER.bearing(10), 0, 0.01);
  assertNear(CORNER.bearing(200), 90, 0.01);
});

test('projecting a place of the path gives back where it is', () => {
  for (const along of [0, 30, 111, 150, 222]) {
    const found = CORNER.project(CORNER.at(along));
    assertNear(found.along, along, 0.01);
    assertNear(found.offset, 0, 0.01);
  }
});

test('a place beside the path is known by its distance from it', () => {
  assertNear(CORNER.project([25.0001, 60.0005]).offset, 5.56, 0.05);
});

test('a window keeps the way out and the way back in one street apart', () => {
  const outAndBack = new Path([[25, 60], [25, 60.002], [25, 60]]);
  assertNear(outAndBack.project([25, 60.0005]).along, 55.6, 0.5);
  assertNear(outAndBack.project([25, 60.0005], 300, 445).along, 389.2, 0.5);
});

test('doubled places do no harm', () => {
  const stutter = new Path([[25, 60], [25, 60], [25, 60.001]]);
  assertNear(stutter.at(50)[1], 60.00045, 1e-5);
  assert.ok(Number.isFinite(stutter.project([25, 60.0002]).along));
});

test('what lies ahead are the corners beyond the place', () => {
  assert.deepEqual(CORNER.after(50), [[25, 60.001], [25.002, 60.001]]);
});

test('a single place is no path', () => {
  assert.throws(() => new Path([[25, 60]]), RangeError);
});
