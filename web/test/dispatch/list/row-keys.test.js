import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rowAfter } from '../../../src/dispatch/list/row-keys.js';

test('arrow keys stop at the ends, other keys and places lead nowhere', () => {
  assert.deepEqual(['ArrowDown', 'ArrowUp', 'Home', 'End', 'a'].map((key) => rowAfter(key, 1, 3)), [2, 0, 0, 2, -1]);
  assert.deepEqual([rowAfter('ArrowDown', 2, 3), rowAfter('ArrowUp', 0, 3), rowAfter('ArrowDown', -1, 3)], [2, 0, -1]);
});
