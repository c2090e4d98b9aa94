import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { describe, lastSeen } from '../src/card.js';
import { begin } from '../src/state.js';
import { timesAt } from '../src/times.js';

const SAMPLES = JSON.parse(readFileSync(new URL('../../tests/samples/cards.json', import.meta.url), 'utf8'));
const utc = timesAt(['en-GB'], 'UTC');

for (const { name, snapshot, card } of SAMPLES) {
  test(`the card reads as agreed with the server: ${name}`, () => {
    const read = describe(begin(snapshot), Date.parse(snapshot.now), timesAt(['en-GB'], snapshot.order.dropoff.time_zone));
    assert.deepEqual({ ...read, steps: read.steps.map(rounded), progress: rounded(read.progress) }, card);
  });
}

test('a link that is taken back says so', () => {
  const state = { ...begin(SAMPLES[0].snapshot), ended: 'revoked' };
  assert.equal(describe(state, 0, utc).headline, 'This tracking link has ended');
});

test('an age is told in the unit that fits', () => {
  assert.equal(lastSeen(40_000), 'Last seen 40 s ago');
  assert.equal(lastSeen(130_000), 'Last seen 2 min ago');
  assert.equal(lastSeen(7_300_000), 'Last seen 2 h ago');
});

/** @param {number} part */
function rounded(part) {
  return Math.round(part * 100) / 100;
}
