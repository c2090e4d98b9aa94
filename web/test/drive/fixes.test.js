import assert from 'node:assert/strict';
import test from 'node:test';

import { FixSender, fixOf, isWanted, nextBatch } from '../../src/drive/fixes.js';

/** @typedef {import('../../types/driver.js').Fix} Fix */

const POLICY = { interval_s: 5, min_move_m: 10 };

/** @param {number} second @param {number} [metres] to the north @returns {Fix} */
function fix(second, metres = 0) {
  return { recorded_at: new Date(Date.UTC(2026, 10, 22, 16, 0, second)).toISOString(), lat: 60 + metres / 111_195, lon: 24 };
}

test('a fix has only what the phone knows', () => {
  const coords = { latitude: 60, longitude: 24, accuracy: 5, speed: null, heading: NaN, altitude: null };
  const found = fixOf(/** @type {any} */ ({ timestamp: 1_700_000_000_000.4, coords }));
  assert.deepEqual(found, { recorded_at: '2023-11-14T22:13:20.000Z', lat: 60, lon: 24, accuracy: 5 });
});

test('the policy says how often; who stands is heard of nevertheless', () => {
  assert.equal(isWanted(null, fix(0), POLICY), true);
  assert.equal(isWanted(fix(0), fix(3, 100), POLICY), false);
  assert.equal(isWanted(fix(0), fix(5, 20), POLICY), true);
  assert.equal(isWanted(fix(0), fix(5, 5), POLICY), false);
  assert.equal(isWanted(fix(0), fix(30), POLICY), true);
});

test('the newest fix goes first, then the backlog', () => {
  assert.deepEqual(nextBatch(fix(9), '', [fix(1)]), [fix(9)]);
  assert.deepEqual(nextBatch(fix(9), fix(9).recorded_at, [fix(1)]), [fix(1)]);
  assert.deepEqual(nextBatch(null, '', []), []);
});

test('everything stored is sent once, and deleted only after its ack', async () => {
  const stored = new Map(Array.from({ length: 250 }, (_, i) => fix(i)).map((each) => [each.recorded_at, each]));
  /** @type {Fix[][]} */ const sent = [];
  let isBroken = true;
  const store = /** @type {any} */ ({
    countFixes: async () => stored.size,
    newestFix: async () => [...stored.values()].at(-1) ?? null,
    oldestFixes: async (/** @type {number} */ limit) => [...stored.values()].slice(0, limit),
    deleteFixes: async (/** @type {string[]} */ times) => times.forEach((time) => stored.delete(time)),
  });
  const connection = /** @type {any} */ ({
    isLive: true,
    request: async (/** @type {{fixes: Fix[]}} */ { fixes }) => {
      if (sent.length === 1 && isBroken) {
        isBroken = false;
        throw new (await import('../../src/drive/connection.js')).Disconnected();
      }
      sent.push(fixes);
      return null;
    },
  });
  const sender = new FixSender(store, connection, () => {});
  await sender.run();
  assert.equal(stored.size, 249); // the break cost nothing
  sender.connected();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(stored.size, 0);
  assert.deepEqual(sent.map(({ length }) => length), [1, 1, 100, 100, 48]);
  assert.equal(new Set(sent.flat().map(({ recorded_at }) => recorded_at)).size, 250);
});
