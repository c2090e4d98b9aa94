import assert from 'node:assert/strict';
import { test } from 'node:test';

import { statusPill } from '../../../src/dispatch/fleet/status-pill.js';
import { wordsIn } from '../fixtures.js';

const words = wordsIn('en');

test('it says whether the board is live, and else how old it is', () => {
  const texts = /** @type {const} */ ([['live', 0, true], ['quiet', 30, true], ['live', 0, false], ['connecting', 0, false],
    ['reconnecting', 3, true], ['reconnecting', 130, true], ['offline', 40, true], ['offline', 40, false], ['over', 40, true]])
    .map(([connection, age, complete]) => statusPill(connection, age, complete, words)).map(({ kind, text }) => `${kind}: ${text}`);
  assert.deepEqual(texts, [
    'live: Live', 'live: Live', 'waiting: Loading…', 'waiting: Connecting…', 'waiting: Reconnecting…', 'waiting: Reconnecting… · as of 2 min ago',
    'offline: No network · as of 40 sec ago', 'offline: No network', 'offline: Disconnected · as of 40 sec ago',
  ]);
});
