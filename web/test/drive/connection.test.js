import assert from 'node:assert/strict';
import test from 'node:test';

import { Disconnected, DriverConnection } from '../../src/drive/connection.js';
import { headless } from '../../src/environment.js';

class FakeSocket {
  /** @type {any[]} */ sent = [];
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {}
  /** @param {unknown} message */
  hear(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

/** @param {() => number} [random] @returns {{connection: DriverConnection, sockets: FakeSocket[], states: string[]}} */
function started(random = () => 0) {
  /** @type {FakeSocket[]} */ const sockets = [];
  /** @type {string[]} */ const states = [];
  const open = () => sockets[sockets.push(new FakeSocket()) - 1];
  const connection = new DriverConnection('https://t.example/x/', 'tok', { environment: headless, open, random });
  connection.addEventListener('state', () => states.push(connection.state));
  connection.start();
  return { connection, sockets, states };
}

test('it says hello as a screen, answers pings and is live with the welcome', () => {
  const { connection, sockets: [socket], states } = started();
  socket.onopen();
  socket.hear({ type: 'ping', n: 7 });
  socket.hear({ type: 'welcome', orders: [] });
  assert.deepEqual(socket.sent, [{ type: 'hello', token: 'tok', role: 'screen' }, { type: 'pong', n: 7 }]);
  assert.deepEqual(states, ['connecting', 'live']);
  connection.close();
});

test('a request gets the answer with its id', async () => {
  const { connection, sockets: [socket] } = started();
  await assert.rejects(connection.request({ type: 'duty' }), Disconnected);
  socket.hear({ type: 'welcome', orders: [] });
  const [first, second] = [connection.request({ type: 'duty', on: true }), connection.request({ type: 'status' })];
  const [{ id }, { id: next }] = socket.sent;
  socket.hear({ type: 'error', id: next, code: 'conflict', detail: 'no' });
  socket.hear({ type: 'ack', id });
  assert.deepEqual([await first, await second], [null, { code: 'conflict', detail: 'no' }]);
  connection.close();
});

test('a break rejects what waits, and the connection comes back', async () => {
  const { connection, sockets, states } = started();
  sockets[0].hear({ type: 'welcome', orders: [] });
  const asked = connection.request({ type: 'status' });
  sockets[0].onclose({ code: 1012 });
  await assert.rejects(asked, Disconnected);
  await new Promise((resolve) => setTimeout(resolve, 5));
  sockets[1].hear({ type: 'welcome', orders: [] });
  assert.deepEqual(states, ['connecting', 'live', 'draining', 'live']);
  connection.close();
});

test('a node that stops says when another takes the driver', async () => {
  const { connection, sockets } = started(() => 1); // by itself it would wait for 15 s
  sockets[0].hear({ type: 'welcome', orders: [] });
  sockets[0].onclose({ code: 1012, reason: 'restarting, retry_s=0.01' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(sockets.length, 2);
  connection.close();
});

for (const [code, state] of /** @type {const} */ ([[4001, 'signed_out'], [4009, 'replaced'], [4003, 'refused']])) {
  test(`close code ${code} ends the connection as ${state}`, () => {
    const { connection, sockets } = started();
    sockets[0].onclose({ code });
    assert.equal(connection.state, state);
    connection.takeOver();
    assert.equal(sockets.length, 2);
    connection.close();
  });
}
