import assert from 'node:assert/strict';
import { test } from 'node:test';

import { byDuty, driverRow } from '../../../src/dispatch/list/driver-row.js';
import { NOW, driver, wordsIn } from '../fixtures.js';

const words = wordsIn('en');

test('each duty by name, found by name, number and id', () => {
  const drivers = [driver({ id: '2', name: 'Bo' }), driver({ id: '1', name: 'Aino', reference: 'V-7' }), driver({ id: '3', name: 'Cid', orders: ['a'] })];
  const ids = (/** @type {string} */ text) => Object.values(byDuty(drivers, text)).map((group) => group.map(({ id }) => id).join()).filter(Boolean);
  assert.deepEqual(['', 'v-7', 'BO', 'nobody'].map(ids), [['3', '1,2'], ['1'], ['2'], []]);
});

test('a row says when the driver was seen, how many orders, and what is wrong', () => {
  const device = { battery: 0.1, battery_low: true, charging: null, network: null };
  const silence = { since: NOW, reason: 'power_saving', reason_basis: 'reported' };
  assert.deepEqual(driverRow(driver({ device, silence, orders: ['a'] }), words, Date.parse(NOW) + 90_000),
    { id: 'drv_1', name: 'Aino Korhonen', duty: 'silent', seen: '90 sec ago', orders: '1 order', silence: 'No position for 90 sec: power saving', battery: 'Battery 10%' });
  const { seen, battery } = driverRow(driver({ position: null, device: { ...device, battery_low: false } }), words, 0);
  assert.deepEqual([seen, battery], ['', '']);
});
