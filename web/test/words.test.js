import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Words } from '../src/words.js';

const MESSAGES = { stops: { one: '{count} stop', other: '{count} stops' }, to: 'to {place}' };

test('a text has its values, and a number its plural form', () => {
  const words = new Words('en', MESSAGES, 'en-GB');
  assert.equal(words.say('to', { place: 'Vilhonkatu 6' }), 'to Vilhonkatu 6');
  assert.equal(words.say('to'), 'to ');
  assert.deepEqual([1, 2, 1_200].map((count) => words.say('stops', { count })), ['1 stop', '2 stops', '1,200 stops']);
  assert.equal(words.say('unknown'), 'unknown');
});

test('amounts, durations and lists follow the locale', () => {
  const german = new Words('de', {}, 'de-AT');
  assert.equal(german.amount(1.25, 'kilometer'), '1,3 km');
  assert.equal(german.duration(130), '2 Min.');
  assert.equal(german.list(['Foto', 'PIN']), 'Foto und PIN');
});

test('Arabic is written from the right', () => {
  assert.deepEqual(['ar', 'de'].map((language) => new Words(language, {}).direction), ['rtl', 'ltr']);
});
