import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MAX_BYTES, bytesLeft, roomLeft, whyNotSent } from '../src/notes.js';

test('the limit counts bytes, as the service does', () => {
  assert.equal(bytesLeft(''), MAX_BYTES);
  assert.equal(bytesLeft('ä€🚲'), MAX_BYTES - 9);
});

test('the room left is shown only when it is short', () => {
  assert.equal(roomLeft(4_000), '');
  assert.equal(roomLeft(20), '20 characters left');
  assert.equal(roomLeft(-3), '3 too many characters');
});

test('a refusal says why, and how long to wait', () => {
  assert.match(whyNotSent({ status: 429, retryAfter: 30_000 }), /wait 30 seconds/);
  assert.match(whyNotSent({ status: 429, retryAfter: 200_000 }), /wait 4 minutes/);
  assert.match(whyNotSent({ status: 429, retryAfter: 0 }), /wait a moment/);
  assert.match(whyNotSent({ status: 409, retryAfter: 0 }), /the order is over/);
  assert.match(whyNotSent({ status: 422, retryAfter: 0 }), /too long/);
  assert.match(whyNotSent({ status: 404, retryAfter: 0 }), /link has ended/);
  assert.match(whyNotSent({ status: 0, retryAfter: 0 }), /no connection/);
  assert.match(whyNotSent({ status: 500, retryAfter: 0 }), /went wrong/);
});
