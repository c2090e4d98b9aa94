import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describe } from '../src/card.js';
import { begin } from '../src/state.js';
import { Times } from '../src/times.js';
import { sample, snapshotWith, wordsIn } from './fixtures.js';

const { base, cards } = /** @type {import('./fixtures.js').CardSamples} */ (sample('cards.json'));

for (const { name, locale = 'en-GB', change, card } of cards) {
  test(`the card reads as agreed with the server: ${name}, ${locale}`, () => {
    assert.deepEqual(written(snapshotWith(base, change), locale), card);
  });
}

test('a link that is taken back says so', () => {
  assert.equal(cardOf({ ...begin(base), ended: 'revoked' }, 'en').headline, 'This tracking link has ended');
});

/** @param {import('../types/order.js').Snapshot} snapshot @param {string} locale */
function written(snapshot, locale) {
  const card = cardOf(begin(snapshot), locale);
  return { ...card, steps: card.steps.map(rounded), progress: rounded(card.progress) };
}

/** @param {import('../types/order.js').State} state @param {string} locale */
function cardOf(state, locale) {
  const words = wordsIn(locale);
  return describe(state, Date.parse(state.now), words, new Times(words, state.order.dropoff.time_zone));
}

/** @param {number} part */
function rounded(part) {
  return Math.round(part * 100) / 100;
}
