import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TOOLS, toolsFor } from '../../src/dispatch/tools.js';
import { wordsIn } from './fixtures.js';

test('a key sees the tools of its scopes', () => {
  assert.deepEqual(toolsFor(['read']).filter(({ scope }) => scope !== 'read'), []);
  assert.deepEqual(toolsFor(['read', 'orders', 'admin']), TOOLS);
  assert.equal(wordsIn('en').has('tool.logout'), true);
});
