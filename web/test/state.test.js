import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ServerClock, begin, freshness, merge } from '../src/state.js';
import { lineOf, positionAt, present } from './fixtures.js';

/** @typedef {import('../types/order.js').Snapshot} Snapshot */
/** @typedef {import('../types/order.js').Update} Update */

const NOW = '2026-11-22T16:00:00.000Z';

/** @param {number} lon @param {number} lat */
const at = (lon, lat) => ({ ...positionAt(lon, lat), recorded_at: NOW });

/** @param {Partial<Snapshot>} [more] @returns {Snapshot} */
const snapshot = (more = {}) => ({
  type: 'snapshot', cursor: 'a', now: NOW, driver: { name: 'Aino', vehicle: 'bicycle' },
  order: { status: 'picked_up', reference: null, timestamps: {}, dropoff: { lat: 60.1, lon: 25, address: null }, window: null },
  position: at(25, 60), eta: null, stops_before: 0, route: lineOf([25, 60], [25, 60.1]), trail: lineOf([24.9, 60], [25, 60]),
  visibility: 'live', freshness: 'live', ...more,
});

/** @param {Partial<Update>} more @returns {Update} */
const update = (more) => ({ type: 'update', cursor: 'b', now: NOW, ...more });

test('an update replaces the fields it names and no others', () => {
  const state = merge(begin(snapshot()), update({ stops_before: 1 }));
  assert.equal(state.stops_before, 1);
  assert.equal(state.cursor, 'b');
  assert.equal(present(state.driver).name, 'Aino');
});

test('a trail is the latest one received, wherever the position moves', () => {
  const state = merge(begin(snapshot()), update({ position: at(25, 60.01) }));
  assert.deepEqual(state.trail, snapshot().trail);
  const whole = lineOf([24, 60], [25, 60.01]);
  assert.deepEqual(merge(state, update({ trail: whole })).trail, whole);
});

test('what the customer may no longer see is dropped', () => {
  const state = merge(begin(snapshot()), update({ visibility: 'hidden' }));
  assert.deepEqual([state.position, state.route, state.trail], [null, null, null]);
});

test('a merge leaves the former state as it was', () => {
  const before = begin(snapshot());
  merge(before, update({ position: at(25, 60.01) }));
  assert.deepEqual(before, begin(snapshot()));
});

test('messages, ends and heartbeats are kept; unknown ones are ignored', () => {
  let state = merge(begin(snapshot()), { type: 'message', from: 'driver', text: 'Here', at: NOW });
  state = merge(state, { type: 'heartbeat', cursor: 'c', now: NOW });
  state = merge(state, { type: 'end', reason: 'delivered' });
  assert.deepEqual([present(state.note).text, state.cursor, state.ended], ['Here', 'c', 'delivered']);
  const unknown = /** @type {import('../types/order.js').Message} */ (JSON.parse('{"type": "fireworks"}'));
  assert.equal(merge(state, unknown), state);
});

/** @param {number} seconds */
const after = (seconds) => Date.parse(NOW) + seconds * 1000;

test("freshness is the worse of the server's and the page's own", () => {
  const state = begin(snapshot());
  assert.equal(freshness(state, after(10), true), 'live');
  assert.equal(freshness(state, after(30), true), 'live'); // a slow driver: the server knows the interval
  assert.equal(freshness(state, after(30), false), 'stale');
  assert.equal(freshness(state, after(130), true), 'lost');
  assert.equal(freshness({ ...state, freshness: 'stale' }, after(1), true), 'stale');
  assert.equal(freshness({ ...state, position: null }, after(1), true), 'none');
});

test("the server's clock is never estimated earlier than in a message", () => {
  let local = 1_000_000;
  const clock = new ServerClock(() => local);
  clock.hear(new Date(2_000_000).toISOString()); // came at once
  local += 5_000;
  clock.hear(new Date(2_001_000).toISOString()); // was on its way for 4 s
  assert.equal(clock.now(), 2_005_000);
});
