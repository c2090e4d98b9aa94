import assert from 'node:assert/strict';
import test from 'node:test';

import { contactOf, navigationLinks, newOrders, tasksOf, titleOf } from '../../src/drive/orders.js';

/** @typedef {import('../../types/driver.js').AssignedOrder} AssignedOrder */
/** @typedef {import('../../types/driver.js').Action} Action */

/** @param {Partial<AssignedOrder>} more @returns {AssignedOrder} */
function order(more) {
  const [pickup, dropoff] = [{ lat: 60.1713, lon: 24.944, address: 'Rautatientori' }, { lat: 60.1666, lon: 24.9486, address: 'Katu 36' }];
  return { id: 'ord_a', reference: null, status: 'assigned', pickup, dropoff, customer: null, window: null, ...more };
}

/** @param {Partial<Action>} more @returns {Action} */
const action = (more) => ({ seq: 1, key: 'k', kind: 'status', at: '', order: 'ord_a', ...more });

test('the next stop is the pickup, then the dropoff, also before the service knows', () => {
  assert.equal(tasksOf([order({})], [])[0].kind, 'pickup');
  const [task] = tasksOf([order({})], [action({ status: 'picked_up' })]);
  assert.deepEqual([task.kind, task.isWaiting, task.isOver], ['dropoff', true, false]);
});

test('an order that the driver has ended goes to the end of the list', () => {
  const tasks = tasksOf([order({}), order({ id: 'ord_b' })], [action({ status: 'failed' })]);
  assert.deepEqual(tasks.map((task) => [task.order.id, task.isOver]), [['ord_b', false], ['ord_a', true]]);
});

test('a proof that waits is not asked for again, and a refused one is', () => {
  const needs = order({ status: 'picked_up', missing_proofs: { dropoff: { photo: true, pin: true } } });
  const photo = action({ kind: 'proof', stop: 'dropoff', proof: 'photo' });
  const pin = action({ kind: 'proof', stop: 'dropoff', proof: 'pin', refusal: { code: 'invalid_fields', detail: '' } });
  const [task] = tasksOf([needs], [photo, pin]);
  assert.deepEqual([task.missing, task.queued], [['pin'], ['photo']]);
});

test('only an order that was not there rings', () => {
  assert.deepEqual(newOrders([order({})], [order({ status: 'picked_up' }), order({ id: 'ord_b' })]), ['ord_b']);
});

test('a contact is a number to call or a web address, and nothing else', () => {
  const customer = { phone: '+358 40 (123) 45-6' };
  assert.equal(contactOf(order({ customer }))?.href, 'tel:+35840123456');
  assert.equal(contactOf(order({ customer, contact: 'https://shop.example/call/7' }))?.href, 'https://shop.example/call/7');
  assert.equal(contactOf(order({ contact: 'javascript:alert()' })), null);
  assert.equal(contactOf(order({})), null);
});

test('navigation goes to the place by the driver’s vehicle', () => {
  const links = navigationLinks({ lat: 60.1, lon: 24.9, address: 'A & B (3)' }, 'bicycle').map(({ href }) => href);
  assert.match(links[0], /destination=60\.1,24\.9&travelmode=bicycling$/);
  assert.equal(links.at(-1), 'geo:60.1,24.9?q=60.1,24.9(A%20%26%20B%20(3))');
});

test('an order is called by its reference, else by its address', () => {
  assert.deepEqual([titleOf(order({ reference: '1042' })), titleOf(order({}))], ['1042', 'Katu 36']);
});
