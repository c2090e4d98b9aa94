import assert from 'node:assert/strict';
import { test } from 'node:test';

import { initial } from '../src/name.js';

test('an initial is one character, as a person counts', () => {
  const initials = {
    anna: 'A', 'ßeta': 'ß', '': '', 'éa': 'É', '🚲': '🚲', '👨‍👩‍👧‍👦 Kim': '👨‍👩‍👧‍👦', '🏴󠁧󠁢󠁥󠁮󠁧󠁿': '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'क्षितिज': 'क्षि', '山田': '山', '👍🏽': '👍🏽',
    'e\u0323\u0301a': 'E\u0323\u0301',
  };
  for (const [name, first] of Object.entries(initials)) assert.equal(initial(name), first, name);
});
