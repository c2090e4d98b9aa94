import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MAX_BYTES, bytesLeft, roomLeft, whyNotDone, whyNotSent } from '../src/notes.js';
import { wordsIn } from './fixtures.js';

const words = wordsIn('en');

test('the limit counts bytes, as the service does', () => {
  assert.equal(bytesLeft(''), MAX_BYTES);
  assert.equal(bytesLeft('ä€🚲'), MAX_BYTES - 9);
});

test('the room left is shown only when it is short', () => {
  assert.equal(roomLeft(4_000, words), '');
  assert.equal(roomLeft(20, words), '20 characters left');
  assert.equal(roomLeft(-3, words), '3 characters too many');
});

test('a refusal says why, and how long to wait', () => {
  assert.match(whyNotSent({ status: 429, retryAfter: 30_000 }, words), /wait 30 sec/);
  assert.match(whyNotSent({ status: 429, retryAfter: 200_000 }, words), /wait 3 min/);
  assert.match(whyNotSent({ status: 429, retryAfter: 0 }, words), /wait a moment/);
  assert.match(whyNotSent({ status: 409, retryAfter: 0 }, words), /the order is over/);
  assert.match(whyNotSent({ status: 422, retryAfter: 0 }, words), /too long/);
  assert.match(whyNotSent({ status: 404, retryAfter: 0 }, words), /link has ended/);
  assert.match(whyNotSent({ status: 0, retryAfter: 0 }, words), /no connection/);
  assert.match(whyNotSent({ status: 500, retryAfter: 0 }, words), /went wrong/);
});

test('a refused act says why: not allowed, too far, too often, or as for a note', () => {
  assert.match(whyNotDone({ status: 403, retryAfter: 0 }, words), /does not allow/);
  assert.match(whyNotDone({ status: 422, retryAfter: 0 }, words), /150 m/);
  assert.match(whyNotDone({ status: 429, retryAfter: 0 }, words), /too many changes/);
  assert.match(whyNotDone({ status: 409, retryAfter: 0 }, words), /is over/);
});
