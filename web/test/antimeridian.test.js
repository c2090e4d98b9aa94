import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Unwrapper, nearest } from '../src/antimeridian.js';
import { Path } from '../src/path.js';
import { fit } from '../src/sketch.js';
import { SNAPSHOT, lineOf, positionAt, present, stateOf } from './fixtures.js';

/** @typedef {import('./fixtures.js').LineString} LineString */

/** @param {number[]} lons */
const line = (...lons) => lineOf(...lons.map((lon) => /** @type {[number, number]} */ ([lon, -17])));

/** @param {number} dropoff longitude @param {number} lon @param {LineString} route @param {LineString|null} trail */
function state(dropoff, lon, route, trail) {
  const order = { ...SNAPSHOT.order, dropoff: { ...SNAPSHOT.order.dropoff, lat: -17, lon: dropoff } };
  return stateOf({ order, position: positionAt(lon, -17), route, trail });
}

test('a longitude is unwrapped to the nearer side', () => {
  assert.equal(nearest(-179.9, 179.9), 180.1);
  assert.equal(nearest(179.9, -179.9), -180.1);
  assert.equal(nearest(24.94, 24.95), 24.94);
  assert.equal(nearest(180, 0), 180);
});

test('away from the antimeridian nothing changes', () => {
  const given = state(24.94, 24.95, line(24.95, 24.94), line(24.96, 24.95));
  assert.equal(new Unwrapper().unwrap(given), given);
});

test('what crosses the antimeridian is in one piece', () => {
  const near = new Unwrapper().unwrap(state(-179.99, 179.99, line(179.99, 180, -180, -179.99), line(179.98, 179.99)));
  const route = present(near.route).coordinates;
  assert.deepEqual(route.map(([lon]) => lon), [-180.01, -180, -180, -179.99]);
  assert.deepEqual(present(near.trail).coordinates.map(([lon]) => lon), [-180.02, -180.01]);
  assert.equal(present(near.position).lon, -180.01);
  const path = new Path(route);
  assert.ok(path.length < 2_200);
  assert.ok(Math.abs(path.at(path.length / 2)[0] + 180) < 0.001);
  const { scale } = fit(route, 400, 400, { top: 0, right: 0, bottom: 0, left: 0 });
  assert.ok(scale < 10);
});

test('what did not change stays the same object', () => {
  const unwrapper = new Unwrapper();
  const first = state(-179.99, 179.99, line(179.99, -179.99), null);
  const near = unwrapper.unwrap(first);
  assert.equal(unwrapper.unwrap(first), near);
  const moved = { ...first, position: positionAt(179.995, -17) };
  assert.equal(unwrapper.unwrap(moved).route, near.route);
  assert.equal(unwrapper.unwrap({ ...first, position: null }).position, null);
});
