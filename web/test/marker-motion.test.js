import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MarkerMotion, turned } from '../src/marker-motion.js';
import { present } from './fixtures.js';

const ROUTE = /** @type {import('./fixtures.js').LonLat[]} */ ([[25, 60], [25, 60.01]]); // 1112 m straight north
const METRE = 0.001 / 111.195; // degrees of latitude
const T0 = Date.parse('2026-11-22T16:00:00Z');
const LIVE = { reckon: true, glide: true };

/** @param {number} metres @param {number} seconds */
const position = (metres, seconds, speed = 5, lon = 25) => ({
  lat: 60 + metres * METRE, lon, heading: 0, speed, recorded_at: new Date(T0 + seconds * 1000).toISOString(),
});

/** A motion that has shown a position at `metres`, recorded and shown at second 0. @param {number} metres */
function at(metres, speed = 5) {
  const motion = new MarkerMotion();
  motion.setRoute(ROUTE);
  motion.receive(position(metres, 0, speed));
  motion.show(T0, LIVE);
  return motion;
}

/**
 * Shows the courier every 50 ms from one second to another, and returns all metres along the route.
 * @param {MarkerMotion} motion @param {number} from @param {number} to
 */
function watch(motion, from, to, how = LIVE) {
  /** @type {number[]} */
  const seen = [];
  for (let t = from; t <= to + 1e-9; t += 0.05) seen.push(along(motion, t, how));
  return seen;
}

/** @param {MarkerMotion} motion @param {number} second @returns {number} metres along the route, NaN away from it */
function along(motion, second, how = LIVE) {
  return motion.show(T0 + second * 1000, how)?.along ?? NaN;
}

/** @param {number[]} seen @returns {number} */
function last(seen) {
  return present(seen.at(-1));
}

test('it goes on along the route at the last speed', () => {
  const seen = watch(at(100), 0, 4);
  assert.ok(last(seen) > 114 && last(seen) <= 120, `${last(seen)}`);
});

test('it never guesses further than five seconds ahead', () => {
  const seen = watch(at(100), 0, 60);
  assert.ok(last(seen) < 125.01 && last(seen) > 124, `${last(seen)}`);
});

test('it does not guess at all when told not to', () => {
  const seen = watch(at(100), 0, 30, { reckon: false, glide: true });
  assert.ok(Math.abs(last(seen) - 100) < 0.1);
});

test('it waits instead of going back less than 25 m', () => {
  const motion = at(100);
  const before = last(watch(motion, 0, 4));
  motion.receive(position(before - 20, 4, 0));
  assert.deepEqual(new Set(watch(motion, 4, 8)), new Set([before]));
});

test('it goes back, gliding, when it was wrong by more', () => {
  const motion = at(100);
  motion.receive(position(60, 1, 0));
  const seen = watch(motion, 1, 4);
  assert.ok(seen[0] > 60 && last(seen) < 86, `${last(seen)}`);
});

test('it jumps where gliding would take longer than 80 m', () => {
  const motion = at(100);
  motion.receive(position(300, 1, 0));
  assert.ok(Math.abs(along(motion, 1) - 300) < 0.1);
});

test('on a clean track it never runs backwards', () => {
  const motion = at(0);
  let furthest = -1;
  for (let second = 1; second < 60; second++) {
    motion.receive(position(second * 5, second));
    for (const metres of watch(motion, second, second + 0.95)) {
      assert.ok(metres >= furthest);
      furthest = metres;
    }
  }
});

test('away from the route it glides to the position itself', () => {
  const motion = at(100);
  motion.receive(position(100, 1, 5, 25.001)); // 56 m beside the route
  watch(motion, 1, 6);
  const shown = present(motion.show(T0 + 6000, LIVE));
  assert.equal(shown.along, null);
  assert.ok(Math.abs(shown.at[0] - 25.001) < 1e-5);
});

test('without gliding it stands where the position is', () => {
  const motion = at(100);
  motion.receive(position(130, 1, 5));
  assert.ok(Math.abs(along(motion, 1, { reckon: false, glide: false }) - 130) < 0.1);
});

test('when the position is taken away nothing is shown', () => {
  const motion = at(100);
  motion.receive(null);
  assert.equal(motion.show(T0 + 1000, LIVE), null);
});

test('turning takes the shorter way round', () => {
  assert.equal(turned(350, 10, 0.5), 0);
  assert.equal(turned(10, 350, 0.5), 0);
  assert.equal(turned(90, 180, 1), 180);
});
