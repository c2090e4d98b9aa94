import assert from 'node:assert/strict';
import { test } from 'node:test';

import { headless } from '../src/environment.js';
import { LiveStream } from '../src/live-stream.js';

/** @typedef {import('../types/transport.js').Handlers} Handlers */

test('each kind of stream reads its own messages, and begins anew', async () => {
  /** @type {{cursor: string, handlers: Handlers, visit?: string}[]} */ const sessions = [];
  const stream = new LiveStream('https://track.example/v1', {
    environment: headless,
    transports: [(_, cursor, handlers, visit) => {
      sessions.push({ cursor, handlers, visit });
      return { send: () => {}, close: () => {} };
    }],
  });
  await Promise.resolve();
  assert.deepEqual([sessions[0].cursor, sessions[0].visit], ['', '']); // the service refuses unknown fields of a query
  assert.throws(() => sessions[0].handlers.message({ type: 'heartbeat', cursor: 'c', now: '' }), /unread: heartbeat/);
  stream.close();
  assert.equal(stream.connection, 'over');
});
