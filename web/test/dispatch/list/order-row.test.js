import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nameOf, orderRow } from '../../../src/dispatch/list/order-row.js';
import { NOW, driver, eta, order, wordsIn } from '../fixtures.js';

const words = wordsIn('en');
const now = Date.parse(NOW);
/** @param {Parameters<typeof order>[0]} more @param {Parameters<typeof driver>[0]} [of] */
const rowOf = (more, of) => orderRow(order(more), of ? driver(of) : null, words, now);

test('a row says who, where and when', () => {
  const row = rowOf({ eta: eta('2026-11-22T17:05:00.000Z') }, {});
  assert.deepEqual([row.name, row.place, row.status, row.who, row.risks], ['A-1', 'Kasarmikatu 36', 'Assigned', 'Aino Korhonen', []]);
  assert.match(row.when, /^≈ \d\d:05/);
});

test('without a forecast it has the window, without an address the place, without a number the id', () => {
  const row = rowOf({ reference: null, driver_id: null, window: { from: '2026-11-22T17:00:00.000Z', to: '2026-11-22T18:00:00.000Z' },
    dropoff: { lat: 60.16661, lon: 24.94861, address: null } });
  assert.match(row.when, /:00.* – .*:00/);
  assert.deepEqual([row.place, row.who, rowOf({}).who, rowOf({}).when], ['60.1666, 24.9486', 'No driver', 'Unknown driver', '']);
  assert.equal(nameOf({ id: 'ord_abcdefghijklmnop', reference: '' }), 'ord_abcdef…');
});

test('each risk says what is known of it', () => {
  const silence = { since: '2026-11-22T16:38:00.000Z', reason: 'no_network', reason_basis: 'inferred' };
  const device = { battery: 0.09, battery_low: true, charging: false, network: null };
  const texts = rowOf({ risks: ['late', 'silent', 'off_route', 'stuck', 'battery_low'], late_s: 750 }, { silence, device }).risks.map(({ text }) => text);
  assert.deepEqual(texts, ['12 min late', 'No position for 5 min: no network', 'Off the route', 'Open for too long', 'Battery 9%']);
  const less = rowOf({ risks: ['late', 'silent', 'battery_low'] }, { silence: { ...silence, reason: 'unknown' } }).risks.map(({ text }) => text);
  assert.deepEqual(less, ['Late', 'No position for 5 min', 'Battery low']);
  assert.deepEqual(rowOf({ risks: ['silent'] }).risks, [{ kind: 'silent', text: 'No position' }]);
});
