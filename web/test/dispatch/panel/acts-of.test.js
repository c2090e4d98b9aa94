import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OUTCOMES, actsOf } from '../../../src/dispatch/panel/acts-of.js';
import { wordsIn } from '../fixtures.js';

test('each status leads where the service allows, the likeliest first', () => {
  const names = ['created', 'assigned', 'picked_up', 'failed', 'delivered', 'cancelled'].map((status) => actsOf(status).map(({ to }) => to));
  assert.deepEqual(names, [['assign', 'cancelled'], ['assign', 'created', 'picked_up', 'failed', 'cancelled'],
    ['delivered', 'assign', 'failed', 'cancelled'], ['attempt'], [], []]);
});

test('each act and outcome has its texts', () => {
  const words = wordsIn('en');
  const names = ['created', 'assigned', 'picked_up', 'failed'].flatMap(actsOf).map(({ name, to }) => [`act.${name}`, `done.${to === 'assign' ? 'assign' : name}`]);
  assert.deepEqual([...names.flat(), ...OUTCOMES.map((outcome) => `outcome.${outcome}`)].filter((name) => !words.has(name)), []);
});
