import assert from 'node:assert/strict';
import { test } from 'node:test';

import { byRisk, groupOf, grouped, includesAll, wordsOf } from '../../../src/dispatch/fleet/risks.js';
import { driver, eta, order } from '../fixtures.js';

test('an order with any risk is at risk, others are grouped by status', () => {
  const groups = [order({ risks: ['stuck'] }), order({ status: 'created' }), order(), order({ status: 'picked_up' })].map(groupOf);
  assert.deepEqual(groups, ['risk', 'created', 'assigned', 'picked_up']);
});

test('the worst comes first: the risk, how late, when it is due', () => {
  const orders = [
    order({ id: 'later', eta: eta('2026-11-22T18:00:00.000Z') }), order({ id: 'sooner', eta: eta('2026-11-22T17:00:00.000Z') }),
    order({ id: 'battery', risks: ['battery_low'] }), order({ id: 'a bit', risks: ['late'], late_s: 60 }),
    order({ id: 'very', risks: ['battery_low', 'late'], late_s: 600 }), order({ id: 'silent', risks: ['silent'] }),
    order({ id: 'window', window: { from: '2026-11-22T17:10:00.000Z', to: '2026-11-22T17:30:00.000Z' } }), order({ id: 'unknown' }),
    order({ id: 'new', risks: [/** @type {any} */ ('of a newer service')] }),
  ];
  assert.deepEqual(orders.toSorted(byRisk).map(({ id }) => id), ['very', 'a bit', 'silent', 'battery', 'new', 'sooner', 'window', 'later', 'unknown']);
});

test('orders without a driver wait in the order in which they came', () => {
  const created = [['b', '2026-02'], ['a', '2026-01']].map(([id, created_at]) => order({ id, status: 'created', driver_id: null, created_at }));
  assert.deepEqual(created.toSorted(byRisk).map(({ id }) => id), ['a', 'b']);
});

test('a search finds parts of number, address and driver, without case and accents', () => {
  const orders = [order({ id: 'one', reference: 'Ä-77' }), order({ id: 'two', reference: null, driver_id: null })];
  const found = (/** @type {string} */ text) => grouped(orders, text, (id) => (id ? driver() : null)).assigned.map(({ id }) => id);
  assert.deepEqual(['a-7', 'KORHONEN kasarmi', 'kasarmi', 'two', 'nobody', ' '].map(found), [['one'], ['one'], ['one', 'two'], ['two'], [], ['one', 'two']]);
});

test('words are found in any sequence and field', () => {
  assert.deepEqual(wordsOf('  Élan  b '), ['elan', 'b']);
  assert.equal(includesAll(['b', null, 'ELAN'], ['elan', 'b']), true);
});
