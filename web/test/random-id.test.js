import assert from 'node:assert/strict';
import { test } from 'node:test';

import { randomId } from '../src/random-id.js';

test('an id has 96 random bits as hexadecimal digits', () => {
  assert.match(randomId(), /^[0-9a-f]{24}$/);
});

test('no id repeats', () => {
  assert.equal(new Set(Array.from({ length: 1000 }, randomId)).size, 1000);
});
