import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Path } from '../src/path.js';
import { before, since } from '../src/trail.js';

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

const at = (lon) => ({ lon, lat: 60 });
const told = { trail: {}, position: at(1) };

test('the places since the trail was told draw it on, until it is told again', () => {
  const first = since([], null, told);
  const next = { ...told, position: at(2) };
  const drawn = since(first, told, next);
  assert.deepEqual(drawn, [[1, 60], [2, 60]]);
  assert.deepEqual(since(drawn, next, { ...next }), drawn);
  assert.deepEqual(since(drawn, next, { trail: {}, position: at(3) }), [[3, 60]]);
});

test('of a courier out of sight no place is kept', () => {
  assert.deepEqual(since([[1, 60]], told, { ...told, position: null }), []);
});

test('what is drawn since then is bounded', () => {
  let last = told;
  let drawn = [];
  for (let i = 0; i < 1000; i++) {
    const state = { ...told, position: at(i) };
    drawn = since(drawn, last, state);
    last = state;
  }
  assert.equal(drawn.length, 200);
});
