import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Translations } from '../src/translations.js';

const MESSAGES = { stops: { one: '{count} stop', other: '{count} stops' }, to: 'to {place}' };

test('a text has its values, and a number its plural form', () => {
  const words = new Translations('en', MESSAGES, 'en-GB');
  assert.equal(words.say('to', { place: 'Vilhonkatu 6' }), 'to Vilhonkatu 6');
  assert.equal(words.say('to'), 'to ');
  assert.deepEqual([1, 2, 1_200].map((count) => words.say('stops', { count })), ['1 stop', '2 stops', '1,200 stops']);
  assert.equal(words.say('unknown'), 'unknown');
});

test('amounts, durations and lists follow the locale', () => {
  const german = new Translations('de', {}, 'de-AT');
  assert.equal(german.amount(1.25, 'kilometer'), '1,3 km');
  assert.equal(german.duration(130), '2 Min.');
  assert.equal(german.list(['Foto', 'PIN']), 'Foto und PIN');
});

test('Arabic is written from the right', () => {
  assert.deepEqual(['ar', 'de'].map((language) => new Translations(language, {}).direction), ['rtl', 'ltr']);
});


for (const language of ['de', 'fr', 'es', 'fi', 'sv', 'ar', 'ja']) {
  test(`the customer’s page has every text in ${language}, with the same places and all plural forms`, () => {
    const [wanted, own] = [messagesIn('en'), messagesIn(language)];
    assert.deepEqual(Object.keys(own), Object.keys(wanted));
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    for (const [name, entry] of Object.entries(wanted)) {
      assert.equal(typeof own[name], typeof entry, name);
      assert.deepEqual(placesOf(own[name]), placesOf(entry), name);
      if (typeof own[name] === 'object') assert.deepEqual(Object.keys(own[name]).toSorted(), forms, name);
    }
  });
}

/** @param {string} language @returns {import('../src/translations.js').Messages} */
function messagesIn(language) {
  return JSON.parse(readFileSync(new URL(`../messages/track/${language}.json`, import.meta.url), 'utf8'));
}

/** @param {import('../src/translations.js').Entry} entry @returns {string[]} its places, such as `{count}` */
function placesOf(entry) {
  return [...new Set([...JSON.stringify(entry).matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].toSorted();
}
