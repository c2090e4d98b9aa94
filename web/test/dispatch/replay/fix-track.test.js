import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FixTrack, countReasons } from '../../../src/dispatch/replay/fix-track.js';

const BEGIN = Date.parse('2026-11-22T16:00:00.000Z');

/** @param {number} second @param {number} lat @param {string} [reason] */
const fix = (second, lat, reason) => ({ recorded_at: new Date(BEGIN + second * 1_000).toISOString(), lat, lon: 24, reason });
const TRACK = new FixTrack([fix(10, 61), fix(0, 60), fix(5, 99, 'jump'), fix(300, 62), fix(310, 63)]);

test('between two fixes it is on the line between them', () => {
  assert.deepEqual([TRACK.at(BEGIN + 5_000)?.lat, TRACK.at(BEGIN + 305_000)?.lat, TRACK.at(BEGIN + 10_000)?.lat], [60.5, 62.5, 61]);
});

test('in a gap it stays, before the first and after the last as well', () => {
  assert.deepEqual([TRACK.at(BEGIN + 200_000)?.lat, TRACK.at(BEGIN - 1)?.lat, TRACK.at(BEGIN + 9e6)?.lat], [61, 60, 63]);
});

test('the line is cut at gaps, and has no refused fix', () => {
  assert.deepEqual(TRACK.lines, [[[24, 60], [24, 61]], [[24, 62], [24, 63]]]);
  assert.deepEqual([TRACK.begin, TRACK.end, TRACK.rejected.map(({ reason }) => reason)], [BEGIN, BEGIN + 310_000, ['jump']]);
});

test('a track without believed fixes has no place', () => {
  const empty = new FixTrack([fix(0, 60, 'jump')]);
  assert.deepEqual([empty.at(BEGIN), empty.lines, empty.begin, empty.end], [null, [], 0, 0]);
});

test('reasons are counted, the most frequent first', () => {
  assert.deepEqual(countReasons([{ reason: 'a' }, { reason: 'b' }, { reason: 'b' }]), [['b', 2], ['a', 1]]);
});
