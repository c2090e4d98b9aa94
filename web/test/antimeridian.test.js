import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Meridian, nearest } from '../src/antimeridian.js';
import { Path } from '../src/path.js';
import { fit } from '../src/sketch.js';

const line = (...lons) => ({ type: 'LineString', coordinates: lons.map((lon) => [lon, -17]) });
const state = (dropoff, lon, route, trail) => ({
  order: { dropoff: { lat: -17, lon: dropoff } }, position: lon === null ? null : { lat: -17, lon }, route, trail,
});

test('a longitude is told from the nearer side', () => {
  assert.equal(nearest(-179.9, 179.9), 180.1);
  assert.equal(nearest(179.9, -179.9), -180.1);
  assert.equal(nearest(24.94, 24.95), 24.94);
  assert.equal(nearest(180, 0), 180);
});

test('away from the antimeridian nothing changes', () => {
  const given = state(24.94, 24.95, line(24.95, 24.94), line(24.96, 24.95));
  assert.equal(new Meridian().near(given), given);
});

test('what crosses the antimeridian is in one piece', () => {
  const near = new Meridian().near(state(-179.99, 179.99, line(179.99, 180, -180, -179.99), line(179.98, 179.99)));
  assert.deepEqual(near.route.coordinates.map(([lon]) => lon), [-180.01, -180, -180, -179.99]);
  assert.deepEqual(near.trail.coordinates.map(([lon]) => lon), [-180.02, -180.01]);
  assert.equal(near.position.lon, -180.01);
  const path = new Path(near.route.coordinates);
  assert.ok(path.length < 2_200);
  assert.ok(Math.abs(path.at(path.length / 2)[0] + 180) < 0.001);
  const { scale } = fit(near.route.coordinates, 400, 400, { top: 0, right: 0, bottom: 0, left: 0 });
  assert.ok(scale < 10);
});

test('what did not change stays the same object', () => {
  const meridian = new Meridian();
  const first = state(-179.99, 179.99, line(179.99, -179.99), null);
  const near = meridian.near(first);
  assert.equal(meridian.near(first), near);
  const moved = { ...first, position: { lat: -17, lon: 179.995 } };
  assert.equal(meridian.near(moved).route, near.route);
  assert.equal(meridian.near({ ...first, position: null }).position, null);
});
