import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Fleet } from '../../../src/dispatch/fleet/fleet.js';
import { driverFacts } from '../../../src/dispatch/panel/driver-facts.js';
import { NOW, driver, order, wordsIn } from '../fixtures.js';

const words = wordsIn('en');

test('it names duty, age, battery and orders', () => {
  const fleet = new Fleet();
  const device = { battery: 0.5, battery_low: false, charging: null, network: null };
  fleet.apply({ type: 'snapshot', now: NOW, first: true, last: true, drivers: [driver({ device, orders: ['ord_1', 'ord_2'] })], orders: [order()] });
  const { title, facts } = driverFacts('drv_1', { fleet, now: Date.parse(NOW) + 30_000 }, words);
  assert.equal(title, 'Aino Korhonen');
  assert.deepEqual(Object.fromEntries(facts), { Duty: 'On the way', 'Last position': '30 sec ago', Battery: '50%', Vehicle: 'Car', Orders: 'A-1 & ord_2…' });
});

test('an erased driver has nothing', () => {
  assert.deepEqual(driverFacts('drv_9', { fleet: new Fleet(), now: 0 }, words).facts, []);
});
