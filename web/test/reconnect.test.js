import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReconnectPolicy, isFinal, backOff, retryAfterReason } from '../src/reconnect.js';

const most = () => 1;
const FINAL = [1000, 4000, 4001, 4003, 4008, 4009, 4010, 4011];
const TEMPORARY = [1001, 1002, 1006, 1011, 1012, 4029, 4100, 4101, 4102, 4103, 4104, 4199];

test('the hundreds digit of a close code decides whether to reconnect', () => {
  for (const code of FINAL) assert.ok(isFinal(code), `${code}`);
  for (const code of TEMPORARY) assert.ok(!isFinal(code), `${code}`);
});

test('clients reconnect to a restarted server within 15 seconds, at random', () => {
  assert.equal(backOff(1012, 0, most), 15_000);
  assert.equal(backOff(1001, 3, () => 0), 0);
});

test('a node that stops says when others take its clients', () => {
  assert.equal(retryAfterReason('restarting, retry_s=1.25'), 1_250);
  for (const reason of ['', 'restarting', 'retry_s=soon', undefined]) assert.equal(retryAfterReason(reason), 0);
  assert.equal(retryAfterReason('retry_s=99999'), 15_000);
  const policy = new ReconnectPolicy(3, most);
  assert.equal(policy.closed(1012, { retryAfter: 1_250 }), 1_250);
  assert.equal(policy.closed(1012), 15_000);
});

test('the back-off doubles with each failure, with full jitter, up to a limit', () => {
  assert.equal(backOff(1006, 0, most), 1_000);
  assert.equal(backOff(1006, 2, () => 0.5), 2_000);
  assert.equal(backOff(1006, 30, most), 15_000);
  assert.equal(backOff(4100, 0, most), 4_000);
});

test('three failures lead from the WebSocket to events, two to polling, and two more back to the WebSocket', () => {
  const policy = new ReconnectPolicy(3, most);
  const seen = [];
  for (let i = 0; i < 8; i++) {
    policy.closed(1006);
    seen.push(policy.current);
  }
  assert.deepEqual(seen, [0, 0, 1, 1, 2, 2, 0, 0]);
});

test('a fallback is tried at once, the first transport again only after a delay', () => {
  const policy = new ReconnectPolicy(3, most);
  const delays = Array.from({ length: 7 }, () => policy.closed(1006));
  assert.deepEqual(delays, [1_000, 2_000, 0, 8_000, 0, 15_000, 15_000]);
});

test('a message between failures makes them non-consecutive', () => {
  const policy = new ReconnectPolicy(3, most);
  for (let i = 0; i < 10; i++) {
    policy.closed(1006);
    policy.received();
  }
  assert.equal(policy.current, 0);
});

test('a device without a network does not fall back', () => {
  const policy = new ReconnectPolicy(3, most);
  for (let i = 0; i < 10; i++) assert.ok((policy.closed(1006, { offline: true }) ?? 0) > 0);
  assert.equal(policy.current, 0);
});

test('Retry-After is honoured, with jitter, up to a limit', () => {
  const policy = new ReconnectPolicy(3, () => 0);
  assert.equal(policy.closed(4103, { retryAfter: 30_000 }), 30_000);
  assert.equal(new ReconnectPolicy(3, most).closed(4103, { retryAfter: 20_000 }), 25_000);
  assert.equal(policy.closed(4103, { retryAfter: 1e12 }), 300_000);
});

test('a link with too many connections falls back, after a delay', () => {
  const policy = new ReconnectPolicy(3, most);
  assert.equal(policy.closed(4029), 4_000);
  assert.equal(policy.current, 1);
});

test('a final close code stops reconnecting', () => {
  const policy = new ReconnectPolicy(3, most);
  for (const code of FINAL) assert.equal(policy.closed(code), null);
  assert.equal(policy.current, 0);
});

test('an upgrade goes one transport at a time, up to the best', () => {
  const policy = new ReconnectPolicy(3, most);
  assert.equal(policy.better, null);
  for (let i = 0; i < 5; i++) policy.closed(1006);
  assert.equal(policy.current, 2);
  assert.equal(policy.better, 1);
  policy.upgrade();
  policy.upgrade();
  policy.upgrade();
  assert.equal(policy.current, 0);
});
