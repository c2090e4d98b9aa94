import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { LANGUAGES, Translations, chooseLanguage } from '../../src/drive/translations.js';

/** @param {string} language @returns {Record<string, string|Record<string, string>>} */
const messages = (language) => JSON.parse(readFileSync(new URL(`../../messages/drive/${language}.json`, import.meta.url), 'utf8'));

/** @param {string|Record<string, string>} entry @returns {string[]} its places, such as `{count}` */
const placesOf = (entry) => [...new Set([...JSON.stringify(entry).matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].toSorted();

test('the first language that the user reads is chosen', () => {
  assert.equal(chooseLanguage(['fr-FR', 'de-AT', 'en']), 'de');
  assert.equal(chooseLanguage(['ja']), 'en');
});

for (const language of LANGUAGES) {
  test(`${language} has every text, with the same places and all plural forms`, () => {
    const [english, own] = [messages('en'), messages(language)];
    assert.deepEqual(Object.keys(own), Object.keys(english));
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    for (const [name, entry] of Object.entries(english)) {
      assert.equal(typeof own[name], typeof entry, name);
      assert.deepEqual(placesOf(own[name]), placesOf(entry), name);
      if (typeof own[name] === 'object') assert.deepEqual(Object.keys(own[name]).toSorted(), forms, name);
    }
  });
}

test('numbers, plurals and durations follow the language', () => {
  const english = new Translations('en', messages('en'));
  assert.equal(english.say('queue', { count: 1 }), '1 action not sent');
  assert.equal(english.say('queue', { count: 2 }), '2 actions not sent');
  assert.equal(english.duration(8.7), '8 sec');
  assert.equal(english.duration(600), '10 min');
  assert.equal(english.list(['Photo', 'PIN']), 'Photo & PIN');
  const arabic = new Translations('ar', messages('ar'));
  assert.equal(arabic.direction, 'rtl');
  assert.equal(arabic.say('queue', { count: 2 }), 'إجراءان لم يُرسلا');
});

test('a time has its day unless that is today', () => {
  const words = new Translations('de', messages('de'));
  const now = Date.parse('2026-11-22T12:00:00Z');
  assert.equal(words.time('2026-11-22T16:30:00Z', 'Europe/Helsinki', now), '18:30');
  assert.match(words.time('2026-11-23T16:30:00Z', 'Europe/Helsinki', now), /^Mo.* 18:30$/);
  assert.equal(words.time('2026-11-22T16:30:00Z', 'No/Zone', now).length, 5);
  const range = words.range('2026-11-23T12:00:00Z', '2026-11-23T13:00:00Z', 'Europe/Helsinki', now);
  assert.deepEqual([range.from.endsWith(' 14:00'), range.to], [true, '15:00']);
});
