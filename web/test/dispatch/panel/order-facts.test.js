import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Fleet } from '../../../src/dispatch/fleet/fleet.js';
import { orderFacts } from '../../../src/dispatch/panel/order-facts.js';
import { NOW, driver, order, wordsIn } from '../fixtures.js';

const words = wordsIn('en');

test('it names what is known, and nothing that is not', () => {
  const fleet = new Fleet();
  fleet.apply({ type: 'snapshot', now: NOW, first: true, last: true, drivers: [driver()], orders: [order({ risks: ['stuck'] })] });
  const { title, facts } = orderFacts('ord_1', { fleet, now: Date.parse(NOW) }, words);
  assert.equal(title, 'Order A-1');
  assert.deepEqual(Object.fromEntries(facts), { Status: 'Assigned', 'At risk': 'Open for too long', Driver: 'Aino Korhonen', Pickup: 'Rautatientori', Dropoff: 'Kasarmikatu 36' });
});

test('an order that is over says so', () => {
  assert.deepEqual(orderFacts('ord_9', { fleet: new Fleet(), now: 0 }, words), { title: 'Order ord_9…', facts: [['Status', 'No longer open']] });
});

test('what only the API knows comes with it, also once the order is over', () => {
  const ended = { ...order({ status: 'delivered', driver_id: null }), customer: { name: 'Eva', phone: '+358', email: null }, contact: null, instructions: 'Back door' };
  const { title, facts } = orderFacts('ord_1', { fleet: new Fleet(), now: Date.parse(NOW) }, words, ended);
  const named = Object.fromEntries(facts);
  assert.deepEqual([title, named.Status, named.Customer, named.Instructions, named['Contact for the driver']], ['Order A-1', 'Delivered', 'Eva · +358', 'Back door', undefined]);
});
