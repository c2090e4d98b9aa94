import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choiceText, choices } from '../../../src/dispatch/panel/driver-choice.js';
import { NOW, driver, order, wordsIn } from '../fixtures.js';

/** @param {string} id @param {number} lat @param {Parameters<typeof driver>[0]} [more] */
const at = (id, lat, more) => driver({ id, name: id, position: { lat, lon: 24.944, heading: 0, speed: 0, recorded_at: NOW }, ...more });
const silence = { since: NOW, reason: 'unknown', reason_basis: 'none' };
const DRIVERS = [
  at('off', 60.1713, { duty: { on: false, on_break: false }, position: null }), at('silent', 60.1713, { silence }), at('far', 60.19), at('laden', 60.1713, { orders: ['1', '2', '3', '4'] }),
  at('near', 60.175), at('break', 60.1713, { duty: { on: true, on_break: true } }), at('drv_1', 60.1713),
];

test('those who work come first, then the near ones with few orders; never who has it', () => {
  assert.deepEqual(choices(DRIVERS, order(), '', 9).map(({ driver: { id } }) => id), ['near', 'far', 'laden', 'break', 'silent', 'off']);
  assert.deepEqual(choices(DRIVERS, order(), '', 1).map(({ driver: { id } }) => id), ['near']);
  assert.deepEqual(choices(DRIVERS, order(), 'A', 9).map(({ driver: { id } }) => id), ['near', 'far', 'laden', 'break']);
});

test('it says duty, way and load', () => {
  const words = wordsIn('en');
  assert.deepEqual(choices(DRIVERS, order(), '', 9).map((choice) => choiceText(choice, words)),
    ['Free · 410 m · 0 orders', 'Free · 2.1 km · 0 orders', 'On the way · 0 m · 4 orders', 'On a break · 0 m · 0 orders', 'Silent · 0 m · 0 orders', 'Off duty · 0 orders']);
});
