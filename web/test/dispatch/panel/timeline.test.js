import assert from 'node:assert/strict';
import { test } from 'node:test';

import { timelineRows } from '../../../src/dispatch/panel/timeline.js';
import { NOW, wordsIn } from '../fixtures.js';

/** @param {object[]} entries */
const texts = (...entries) => timelineRows(entries.map((entry) => /** @type {any} */ ({ at: NOW, ...entry })), (id) => `name of ${id}`, wordsIn('en'), Date.parse(NOW)).map(({ text }) => text);

test('each entry is a line with what is known of it', () => {
  assert.deepEqual(texts(
    { kind: 'assigned', driver_id: 'drv_1' }, { kind: 'failed', outcome: 'not_home', reason: 'dark house', verified: false },
    { kind: 'message', from: 'customer', text: 'Ring twice' }, { kind: 'message', from: 'driver', text: 'Here' },
    { kind: 'proof', proof: 'photo', stop: 'dropoff' }, { kind: 'delivered', override: true },
  ), [
    'Assigned · name of drv_1', 'Failed · Nobody at home · dark house · far from the door', 'The customer writes · Ring twice',
    'The driver writes · Here', 'Proof (Dropoff) · photo', 'Delivered · without the proof',
  ]);
});

test('a kind of a newer service keeps its name', () => {
  assert.deepEqual(texts({ kind: 'order_teleported', stars: 4 }), ['order teleported · 4 stars']);
});
