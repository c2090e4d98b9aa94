import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Mine, MineFailed, rowsOf } from '../../src/drive/mine.js';
import { Translations } from '../../src/drive/translations.js';

const words = new Translations('en', JSON.parse(readFileSync(new URL('../../messages/drive/en.json', import.meta.url), 'utf8')));
const AT = '2026-11-22T16:41:30.000Z';
const STORED = {
  driver: {
    name: 'Aino Korhonen', display_name: null, vehicle: 'bicycle', reference: 'K7', created_at: AT,
    last_fix: { lat: 60.1713, lon: 24.944, recorded_at: AT },
    device: { app: 'OwnTracks/2.5', battery: 0.62, network: null, permission: 'always', reported_at: AT },
  },
  first_fix_at: AT, last_fix_at: AT, fixes_kept_days: 30, notes_kept_days: 1, assignments: 2, duty_intervals: [],
};

/** @param {import('../../types/driver.js').StoredAboutMe} stored @param {string} name */
const valuesOf = (stored, name) => rowsOf(stored, words).find((row) => row.name === name)?.values;

test('each row says what is stored, and when it is deleted', () => {
  assert.deepEqual(valuesOf(STORED, 'shown'), ['your first name']);
  assert.deepEqual(valuesOf(STORED, 'vehicle'), ['Bicycle', 'K7']);
  assert.equal(valuesOf(STORED, 'positions')?.[1], 'deleted after 30 days');
  assert.equal(valuesOf(STORED, 'newest')?.[0], '60.17130, 24.94400');
  assert.deepEqual(valuesOf(STORED, 'device')?.slice(0, 3), ['OwnTracks/2.5', '62%', 'position always']);
  assert.deepEqual(valuesOf(STORED, 'orders'), ['2 orders were given to you']);
  assert.deepEqual(valuesOf(STORED, 'words'), ["deleted 1 day after the order's end"]);
});

test('a driver of whom there is nothing but the name is told so', () => {
  const stored = { ...STORED, first_fix_at: null, last_fix_at: null, driver: { ...STORED.driver, display_name: 'Kim', last_fix: null, device: null } };
  assert.deepEqual(valuesOf(stored, 'shown'), ['Kim']);
  assert.equal(valuesOf(stored, 'positions')?.[0], 'None');
  for (const name of ['newest', 'device']) assert.deepEqual(valuesOf(stored, name), ['None']);
});

test('a failure has a reason that the screen can say', async () => {
  /** @type {[() => Promise<Response>, string][]} */
  const cases = [
    [() => Promise.reject(new TypeError()), 'offline'],
    [async () => new Response('', { status: 429 }), 'too_many'],
    [async () => new Response('', { status: 503 }), 'failed'],
  ];
  for (const [fetch, why] of cases) {
    const refused = new Mine('http://shop.test/', 'token', fetch).record();
    await assert.rejects(refused, (error) => error instanceof MineFailed && error.why === why);
  }
});

test('requests carry the token in a header, and the cursor of the page', async () => {
  /** @type {[string, unknown][]} */ const asked = [];
  const mine = new Mine('http://shop.test/x/', 'secret', async (url, options) => {
    asked.push([String(url), options?.headers]);
    return Response.json({ items: [], next: null });
  });
  await mine.openings('a b');
  assert.deepEqual(asked, [['http://shop.test/x/v1/drivers/me/openings?limit=20&cursor=a%20b', { Authorization: 'Bearer secret' }]]);
});
