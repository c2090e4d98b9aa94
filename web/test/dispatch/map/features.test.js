import assert from 'node:assert/strict';
import { test } from 'node:test';

import { features } from '../../../src/dispatch/map/features.js';
import { NOW, driver } from '../fixtures.js';

/** @param {string} id @param {number} lat @param {Parameters<typeof driver>[0]} [more] */
const at = (id, lat, more) => driver({ id, position: { lat, lon: 24.94, heading: 0, speed: 0, recorded_at: NOW }, ...more });
const silence = { since: NOW, reason: 'unknown', reason_basis: 'none' };

test('close up each driver with a position is a point', () => {
  const [first, ...others] = features([at('a', 60.17, { silence }), driver({ position: null }), at('b', 60.1701, { freshness: 'lost' })], 14);
  assert.deepEqual(first.properties, { id: 'a', duty: 'silent', name: 'Aino Korhonen', old: 0 });
  assert.deepEqual(first.geometry.coordinates, [24.94, 60.17]);
  assert.deepEqual(others.map(({ properties }) => [properties?.id, properties?.old]), [['b', 1]]);
});

test('far out those near each other are one point, which tells of a silent one', () => {
  const found = features([at('a', 60.17), at('b', 60.1702, { silence }), at('c', 61.5)], 8);
  assert.deepEqual(found.map(({ properties }) => properties), [{ count: 2, silent: 1 }, { id: 'c', duty: 'free', name: 'Aino Korhonen', old: 0 }]);
  assert.ok(Math.abs(found[0].geometry.coordinates[1] - 60.1701) < 1e-9);
});

test('many drivers are clusters also nearer', () => {
  const many = Array.from({ length: 2_000 }, (_, i) => at(`d${i}`, 60.17 + i * 1e-5));
  assert.deepEqual([features(many, 15).length, features(many, 14.9).length < 200, features(many.slice(0, 1_000), 14).length], [2_000, true, 1_000]);
});

test('the poles and the whole world have clusters, too', () => {
  assert.equal(features([at('a', 90), at('b', -90), at('c', 0)], 0).reduce((sum, { properties }) => sum + (properties?.count ?? 1), 0), 3);
});
