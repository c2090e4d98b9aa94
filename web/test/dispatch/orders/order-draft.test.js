import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bodyOf, faultsOf, fieldOf } from '../../../src/dispatch/orders/order-draft.js';

const HOUSE = { lat: 60.1, lon: 24.9, precision: 'house' };
/** @type {import('../../../src/dispatch/orders/order-draft.js').Draft} */
const DRAFT = {
  pickup: { text: 'Shop St 1', picked: null, pin: { lat: 60, lon: 25 } }, dropoff: { text: 'Main St 1', picked: HOUSE, pin: null },
  texts: { name: ' Aino ', phone: '', from: '', to: '' }, proofs: [], driver: null,
};
/** @param {Record<string, string>} texts */
const faults = (texts) => faultsOf({ ...DRAFT, texts }, (name) => name);

test('an address that was suggested goes alone, and a pin with its place', () => {
  assert.deepEqual(bodyOf(DRAFT), {
    pickup: { address: 'Shop St 1', lat: 60, lon: 25 }, dropoff: { address: 'Main St 1' }, customer: { name: 'Aino' },
  });
  const pinned = { ...DRAFT, dropoff: { text: '', picked: null, pin: { lat: 1, lon: 2 } } };
  assert.deepEqual(/** @type {any} */ (bodyOf(pinned)).dropoff, { lat: 1, lon: 2 });
});

test('the place of a suggestion goes too if the service doubts its text', () => {
  assert.deepEqual(/** @type {any} */ (bodyOf(DRAFT, true)).dropoff, { address: 'Main St 1', lat: 60.1, lon: 24.9 });
});

test('everything that is given is sent', () => {
  const texts = { name: 'Aino', phone: '040 1234567', email: 'a@b.c', language: 'fi', reference: '7', instructions: 'Ring', from: '2026-12-01T14:00', to: '2026-12-01T16:00' };
  assert.deepEqual(bodyOf({ ...DRAFT, texts, proofs: ['photo', 'pin'], driver: 'drv_1' }), {
    pickup: { address: 'Shop St 1', lat: 60, lon: 25 }, dropoff: { address: 'Main St 1' }, reference: '7', instructions: 'Ring',
    customer: { name: 'Aino', phone: '040 1234567', email: 'a@b.c', language: 'fi' },
    window: { from: new Date(2026, 11, 1, 14).toISOString(), to: new Date(2026, 11, 1, 16).toISOString() },
    requirements: { dropoff: { photo: true, pin: true } }, driver_id: 'drv_1',
  });
});

test('what the form can see is said before anything is sent', () => {
  assert.deepEqual(faultsOf({ ...DRAFT, dropoff: { text: '', picked: null, pin: null } }, (name) => name), [['dropoff', 'new.needed']]);
  assert.deepEqual(faults({ phone: 'call me' }), [['phone', 'fault.phone.bad']]);
  assert.deepEqual(faults({ from: '2026-12-01T14:00', to: '' }), [['to', 'new.both_times']]);
  assert.deepEqual(faults({ from: '2026-12-01T14:00', to: '2026-12-01T13:00' }), [['to', 'new.times_swapped']]);
  assert.deepEqual(faults({ phone: '040 1234567' }), []);
});

test('errors of the API have their fields', () => {
  const paths = { 'pickup.address': 'pickup', 'dropoff.lat': 'dropoff', 'customer.phone': 'phone', 'window.to': 'to', driver_id: 'driver', metadata: '' };
  for (const [path, field] of Object.entries(paths)) assert.equal(fieldOf(path), field);
});
