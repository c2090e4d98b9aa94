import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DRIVERS, driverLayers } from '../../../src/dispatch/map/layers.js';

const colour = (/** @type {string} */ name) => `colour of ${name}`;

test('without the fonts of a style nothing is written', () => {
  assert.deepEqual(driverLayers(colour, false).map(({ type }) => type), ['circle', 'circle', 'circle']);
  assert.deepEqual(driverLayers(colour, true).slice(3).map(({ id, type }) => [id, type]), [['counts', 'symbol'], ['names', 'symbol']]);
});

test('all of them draw the drivers, in colours of the page', () => {
  const layers = driverLayers(colour, true);
  assert.deepEqual(new Set(layers.map((layer) => 'source' in layer && layer.source)), new Set([DRIVERS]));
  assert.match(JSON.stringify(layers), /"silent","colour of --bad"/);
});
