import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FleetStream } from '../../../src/dispatch/fleet/fleet-stream.js';
import { ReconnectPolicy } from '../../../src/reconnect.js';
import { NOW, driver } from '../fixtures.js';

/** @typedef {import('../../../types/transport.js').Handlers} Handlers */

/** @param {import('node:test').TestContext} t */
async function connect(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  /** @type {{link: string, cursor: string, handlers: Handlers, sent: object[]}[]} */ const sessions = [];
  /** @type {string[]} */ const heard = [];
  const stream = new FleetStream('https://track.example', {
    reconnect: new ReconnectPolicy(1, () => 1),
    transports: [(link, cursor, handlers) => {
      const session = { link, cursor, handlers, sent: /** @type {object[]} */ ([]) };
      sessions.push(session);
      return { send: (message) => session.sent.push(message), close: () => {} };
    }],
  });
  stream.addEventListener('change', () => heard.push('change'));
  stream.addEventListener('connection', (event) => heard.push(/** @type {CustomEvent} */ (event).detail.connection));
  await Promise.resolve();
  const receive = (/** @type {object} */ message) => sessions.at(-1)?.handlers.message(/** @type {any} */ (message));
  t.after(() => stream.close());
  return { stream, sessions, heard, receive };
}

const SNAPSHOT = { type: 'snapshot', now: NOW, first: true, last: true, drivers: [driver()], orders: [] };

test('it reads the fleet and never asks for a cursor', async (t) => {
  const { stream, sessions, heard, receive } = await connect(t);
  receive(SNAPSHOT);
  sessions[0].handlers.closed(1012);
  t.mock.timers.tick(20_000);
  assert.deepEqual(sessions.map(({ link, cursor }) => [link, cursor]), [1, 2].map(() => ['https://track.example/v1/fleet', '']));
  receive({ type: 'pong', n: 1 });
  assert.equal(stream.fleet.drivers.size, 1); // what is known stays while the next snapshot is under way
  assert.deepEqual(heard, ['live', 'change', 'reconnecting', 'live']);
});

test('each connection learns the part of the map that is shown, once it answers', async (t) => {
  const { stream, sessions, receive } = await connect(t);
  stream.look([24, 60, 25, 61]);
  assert.deepEqual(sessions[0].sent, []); // a socket that is not open would drop it
  receive(SNAPSHOT);
  receive({ type: 'heartbeat', now: NOW });
  stream.look([24, 60, 25, 61]);
  stream.look(null);
  assert.deepEqual(sessions[0].sent, [{ type: 'viewport', bbox: [24, 60, 25, 61] }, { type: 'viewport', bbox: null }]);
  stream.look([1, 2, 3, 4]);
  sessions[0].handlers.closed(1006);
  t.mock.timers.tick(20_000);
  stream.look([5, 6, 7, 8]);
  receive(SNAPSHOT);
  assert.deepEqual(sessions[1].sent, [{ type: 'viewport', bbox: [5, 6, 7, 8] }]);
});

test('a revoked key ends it', async (t) => {
  const { sessions, heard } = await connect(t);
  sessions[0].handlers.closed(4011);
  t.mock.timers.tick(60_000);
  assert.deepEqual([sessions.length, heard], [1, ['over']]);
});
