import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Ladder, isFinal, pauseAfter } from '../src/reconnect.js';

const most = () => 1;
const FOREVER = [1000, 4000, 4001, 4003, 4008, 4009, 4010, 4011];
const BACK = [1001, 1002, 1006, 1011, 1012, 4029, 4100, 4101, 4102, 4103, 4104, 4199];

test('the hundred of a close code tells whether to come back', () => {
  for (const code of FOREVER) assert.ok(isFinal(code), `${code}`);
  for (const code of BACK) assert.ok(!isFinal(code), `${code}`);
});

test('a restarting server is given up to 15 seconds, spread at random', () => {
  assert.equal(pauseAfter(1012, 0, most), 15_000);
  assert.equal(pauseAfter(1001, 3, () => 0), 0);
});

test('pauses grow with each failure, with full jitter and a limit', () => {
  assert.equal(pauseAfter(1006, 0, most), 1_000);
  assert.equal(pauseAfter(1006, 2, () => 0.5), 2_000);
  assert.equal(pauseAfter(1006, 30, most), 15_000);
  assert.equal(pauseAfter(4100, 0, most), 4_000);
});

test('three failures lead from the WebSocket to events, two to polling, two more back to the top', () => {
  const ladder = new Ladder(3, most);
  const seen = [];
  for (let i = 0; i < 8; i++) {
    ladder.ended(1006);
    seen.push(ladder.rung);
  }
  assert.deepEqual(seen, [0, 0, 1, 1, 2, 2, 0, 0]);
});

test('a plainer way is tried at once, the way back up only after the pause', () => {
  const ladder = new Ladder(3, most);
  const pauses = Array.from({ length: 7 }, () => ladder.ended(1006));
  assert.deepEqual(pauses, [1_000, 2_000, 0, 8_000, 0, 15_000, 15_000]);
});

test('a message in between makes failures no row', () => {
  const ladder = new Ladder(3, most);
  for (let i = 0; i < 10; i++) {
    ladder.ended(1006);
    ladder.works();
  }
  assert.equal(ladder.rung, 0);
});

test('without a network no way is to blame', () => {
  const ladder = new Ladder(3, most);
  for (let i = 0; i < 10; i++) assert.ok(ladder.ended(1006, { offline: true }) > 0);
  assert.equal(ladder.rung, 0);
});

test('a server that asks for time gets it, and a little more, but never for ever', () => {
  const ladder = new Ladder(3, () => 0);
  assert.equal(ladder.ended(4103, { wish: 30_000 }), 30_000);
  assert.equal(new Ladder(3, most).ended(4103, { wish: 20_000 }), 25_000);
  assert.equal(ladder.ended(4103, { wish: 1e12 }), 300_000);
});

test('a link with too many connections is read by a plainer way, after a pause', () => {
  const ladder = new Ladder(3, most);
  assert.equal(ladder.ended(4029), 4_000);
  assert.equal(ladder.rung, 1);
});

test('what is final stays final on every rung', () => {
  const ladder = new Ladder(3, most);
  for (const code of FOREVER) assert.equal(ladder.ended(code), null);
  assert.equal(ladder.rung, 0);
});

test('there is nothing above the top, and one rung at a time below it', () => {
  const ladder = new Ladder(3, most);
  assert.equal(ladder.above, null);
  for (let i = 0; i < 5; i++) ladder.ended(1006);
  assert.equal(ladder.rung, 2);
  assert.equal(ladder.above, 1);
  ladder.climb();
  ladder.climb();
  ladder.climb();
  assert.equal(ladder.rung, 0);
});
