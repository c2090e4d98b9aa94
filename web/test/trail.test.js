import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Path } from '../src/path.js';
import { sinceTrail, trailBefore } from '../src/trail.js';
import { lineOf, positionAt, stateOf } from './fixtures.js';

/** @typedef {import('./fixtures.js').LonLat} LonLat */

const ROUTE = new Path([[25, 60], [25, 60.01]]);

test('without a route the whole trail is drawn', () => {
  assert.deepEqual(trailBefore(null, [[24.99, 60], [25, 60]]), [[24.99, 60], [25, 60]]);
});

test('the trail ends where it meets the route, on the route itself', () => {
  const trail = /** @type {LonLat[]} */ ([[24.98, 60.001], [24.99, 60.001], [25.0001, 60.001], [25, 60.002]]);
  const drawn = trailBefore(ROUTE, trail);
  assert.equal(drawn.length, 3);
  assert.equal(drawn[2][0], 25);
});

test('a trail that never meets the route stays whole', () => {
  assert.deepEqual(trailBefore(ROUTE, [[24, 60], [24.1, 60]]), [[24, 60], [24.1, 60]]);
});

const at = (/** @type {number} */ lon) => positionAt(lon, 60);
const SENT = stateOf({ trail: lineOf(), position: at(1) });

test('the places since the trail was sent extend it, until it is sent again', () => {
  const first = sinceTrail([], null, SENT);
  const next = { ...SENT, position: at(2) };
  const drawn = sinceTrail(first, SENT, next);
  assert.deepEqual(drawn, [[1, 60], [2, 60]]);
  assert.deepEqual(sinceTrail(drawn, next, { ...next }), drawn);
  assert.deepEqual(sinceTrail(drawn, next, { ...SENT, trail: lineOf(), position: at(3) }), [[3, 60]]);
});

test('no place of a hidden courier is kept', () => {
  assert.deepEqual(sinceTrail([[1, 60]], SENT, { ...SENT, position: null }), []);
});

test('the extension is bounded', () => {
  let last = SENT;
  /** @type {LonLat[]} */
  let drawn = [];
  for (let i = 0; i < 1000; i++) {
    const state = { ...SENT, position: at(i) };
    drawn = sinceTrail(drawn, last, state);
    last = state;
  }
  assert.equal(drawn.length, 200);
});
