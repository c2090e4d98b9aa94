import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { OrderStream, pauseAfter } from '../src/stream.js';

/** A stream on a transport that the test drives. */
function connect() {
  const lines = [];
  const connections = [];
  const messages = [];
  const transport = (url, ears) => {
    const line = { url, ears, sent: [], open: true, send: (m) => line.sent.push(m), close: () => (line.open = false) };
    lines.push(line);
    return line;
  };
  const stream = new OrderStream('ws://here/stream', {
    onMessage: (message) => messages.push(message),
    onConnection: (connection) => connections.push(connection),
    transport,
  });
  stream.start('c0');
  return { stream, lines, connections, messages };
}

test('the hundred of a close code tells whether to come back', () => {
  for (const code of [1000, 4000, 4003, 4010, 4011, 4029]) assert.equal(pauseAfter(code, 0), null);
  for (const code of [1001, 1006, 1011, 1012, 4100, 4102, 4199]) assert.notEqual(pauseAfter(code, 0), null);
});

test('a restarting server is given up to 15 seconds, spread at random', () => {
  assert.equal(pauseAfter(1012, 0, () => 1), 15_000);
  assert.equal(pauseAfter(1001, 3, () => 0), 0);
});

test('pauses grow with each failure, with full jitter and a limit', () => {
  assert.equal(pauseAfter(1006, 0, () => 1), 1_000);
  assert.equal(pauseAfter(1006, 2, () => 0.5), 2_000);
  assert.equal(pauseAfter(1006, 30, () => 1), 15_000);
  assert.equal(pauseAfter(4100, 0, () => 1), 4_000);
});

test('it comes back with the newest cursor', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { lines, connections } = connect();
  assert.equal(lines[0].url, 'ws://here/stream?cursor=c0');
  lines[0].ears.message({ type: 'update', cursor: 'c7', now: '' });
  lines[0].ears.closed(1006);
  t.mock.timers.tick(15_000);
  assert.equal(lines[1].url, 'ws://here/stream?cursor=c7');
  assert.deepEqual(connections, ['connecting', 'live', 'reconnecting', 'reconnecting']);
});

test('a connection that says nothing for 45 seconds is given up', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { lines, connections } = connect();
  lines[0].ears.message({ type: 'heartbeat', cursor: 'c1', now: '' });
  t.mock.timers.tick(25_000);
  assert.equal(connections.at(-1), 'quiet');
  assert.deepEqual(lines[0].sent, [{ type: 'ping', n: 1 }]);
  t.mock.timers.tick(20_000);
  assert.equal(lines[0].open, false);
  t.mock.timers.tick(15_000);
  assert.equal(lines.length, 2);
});

test('after the end it stays away', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { lines, connections } = connect();
  lines[0].ears.message({ type: 'end', reason: 'delivered' });
  lines[0].ears.closed(1000);
  t.mock.timers.tick(60_000);
  assert.equal(lines.length, 1);
  assert.equal(connections.at(-1), 'over');
});

test('when the network is back it connects at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { stream, lines, connections } = connect();
  stream.lose();
  assert.equal(connections.at(-1), 'offline');
  stream.hurry();
  assert.equal(lines.length, 2);
  assert.equal(lines[0].open, false);
});

test('it says what has been shown', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { stream, lines } = connect();
  stream.seen('c9');
  assert.deepEqual(lines[0].sent, [{ type: 'seen', cursor: 'c9' }]);
  mock.timers.reset();
});
