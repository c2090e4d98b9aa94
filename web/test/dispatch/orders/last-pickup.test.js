import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { keepPickup, lastPickup } from '../../../src/dispatch/orders/last-pickup.js';

const SHOP = { address: 'Shop St 1', lat: 60, lon: 25 };
/** @type {Map<string, string>} */
const storage = new Map();
/** @param {string} time @param {string|null} address */
const orderAt = (time, address) => /** @type {any} */ ({ created_at: time, pickup: { address, lat: 1, lon: 2 } });

beforeEach(() => {
  storage.clear();
  const fake = { getItem: (/** @type {string} */ key) => storage.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => storage.set(key, value) };
  Object.defineProperty(globalThis, 'localStorage', { value: fake, configurable: true });
});

test('the last pickup is remembered for each service', () => {
  keepPickup('https://one.example', SHOP);
  assert.deepEqual(lastPickup('https://one.example', []), SHOP);
  assert.equal(lastPickup('https://two.example', []), null);
});

test('a browser without memory takes that of the newest order', () => {
  const orders = [orderAt('2026-12-01T10:00:00Z', 'Old St 1'), orderAt('2026-12-01T11:00:00Z', 'New St 1')];
  assert.deepEqual(lastPickup('x', orders), { address: 'New St 1', lat: 1, lon: 2 });
  assert.equal(lastPickup('x', [orderAt('2026-12-01T11:00:00Z', null)]), null);
});

test('a damaged memory is none', () => {
  for (const damaged of ['{', '7', '{"lat":1}']) {
    storage.set('tracker pickup x', damaged);
    assert.equal(lastPickup('x', []), null);
  }
});
