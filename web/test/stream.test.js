import assert from 'node:assert/strict';
import { test } from 'node:test';

import { headless } from '../src/environment.js';
import { ReconnectPolicy } from '../src/reconnect.js';
import { OrderStream } from '../src/stream.js';
import { SNAPSHOT, present } from './fixtures.js';

/** @typedef {import('../types/transport.js').Handlers} Handlers */
/** @typedef {import('../types/transport.js').Session} Session */
/** @typedef {import('../types/transport.js').Transport} Transport */
/** @typedef {Parameters<import('../src/environment.js').Environment['listen']>[0]} Listeners */
/** @typedef {ConstructorParameters<typeof OrderStream>[1]} Options */
/**
 * @typedef {object} FakeSession what the stream opened, with what it sent
 * @property {string} name @property {string} link @property {string} cursor @property {string|undefined} visit
 * @property {Handlers} handlers @property {{type?: string}[]} sent @property {boolean} open
 */

const LINK = 'https://track.example/t/abc';

/** @param {string} cursor @returns {import('../types/order.js').Update} */
const update = (cursor) => ({ type: 'update', cursor, now: SNAPSHOT.now });

/** @param {string} text @returns {import('../types/order.js').Note} */
const note = (text) => ({ type: 'message', from: 'driver', text, at: 'then' });

/**
 * A stream with fake transports, network, screen and clock, all driven by the test.
 * @param {import('node:test').TestContext} t @param {Options} [options]
 */
async function connect(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  /** @type {FakeSession[]} */ const sessions = [];
  /** @type {[string, unknown][]} */ const emitted = [];
  /** @type {{offline: boolean, painted: (() => void)[], listeners: Listeners|null}} */
  const world = { offline: false, painted: [], listeners: null };
  const stream = new OrderStream(LINK, {
    snapshot: { ...SNAPSHOT, cursor: 'c0' },
    transports: ['websocket', 'events', 'polling'].map((name) => fakeTransport(name, sessions)),
    environment: {
      offline: () => world.offline,
      whenActivated: queueMicrotask,
      afterPaint: (callback) => world.painted.push(callback),
      listen: (listeners) => ((world.listeners = listeners), () => (world.listeners = null)),
    },
    reconnect: new ReconnectPolicy(3, () => 1),
    timeouts: { rival: 1e9 },
    ...options,
  });
  for (const type of ['snapshot', 'state', 'message', 'end', 'connection']) {
    stream.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      emitted.push([type, type === 'connection' ? detail.connection : detail]);
    });
  }
  await Promise.resolve(); // the stream connects in the next microtask
  const open = () => sessions.filter((session) => session.open);
  const fail = (code = 1006) => (open()[0].handlers.closed(code), t.mock.timers.tick(15_000));
  const tick = (/** @type {number} */ milliseconds) => t.mock.timers.tick(milliseconds);
  const state = () => present(stream.state);
  const listeners = () => present(world.listeners);
  return { stream, state, sessions, emitted, world, listeners, open, fail, tick };
}

/** @param {string} name @param {FakeSession[]} sessions @returns {Transport} */
function fakeTransport(name, sessions) {
  return (link, cursor, handlers, visit) => {
    /** @type {FakeSession} */
    const session = { name, link, cursor, visit, handlers, sent: [], open: true };
    sessions.push(session);
    return { send: (message) => session.sent.push(message), close: () => (session.open = false) };
  };
}

/** A stream that has fallen back to polling. @param {import('node:test').TestContext} t */
async function onPolling(t) {
  const all = await connect(t);
  for (let i = 0; i < 5; i++) all.fail();
  assert.equal(all.open()[0].name, 'polling');
  all.open()[0].handlers.message(update('p1'));
  return all;
}

test('it reconnects with the newest cursor', async (t) => {
  const { sessions, tick } = await connect(t);
  assert.equal(sessions[0].cursor, '', 'a new page does not send the cursor of its snapshot');
  sessions[0].handlers.message(update('c7'));
  sessions[0].handlers.closed(1006);
  tick(15_000);
  assert.deepEqual(sessions.map(({ name, cursor }) => [name, cursor]), [['websocket', ''], ['websocket', 'c7']]);
});

test('until the first message, each attempt is the same visit without a cursor; another page is another visit', async (t) => {
  const { sessions, fail } = await connect(t);
  for (let i = 0; i < 6; i++) fail();
  assert.deepEqual([...new Set(sessions.map(({ cursor }) => cursor))], ['']);
  const visits = new Set(sessions.map(({ visit }) => visit));
  assert.equal(visits.size, 1);
  assert.match([...visits][0] ?? '', /^[0-9a-f]{24}$/);
  t.mock.timers.reset();
  assert.ok(!visits.has((await connect(t)).sessions[0].visit));
});

test('a page that is only prerendered does not connect', async (t) => {
  /** @type {(() => void)[]} */ const activated = [];
  const environment = { ...headless, whenActivated: (/** @type {() => void} */ callback) => activated.push(callback) };
  const { sessions, stream } = await connect(t, { environment });
  assert.equal(sessions.length, 0);
  activated[0]();
  assert.equal(sessions.length, 1);
  stream.close();
});

test('three failed WebSockets, then events, then polling; never two at once', async (t) => {
  const { sessions, open, fail } = await connect(t);
  for (let i = 0; i < 6; i++) {
    assert.equal(open().length, 1);
    fail();
  }
  const names = ['websocket', 'websocket', 'websocket', 'events', 'events', 'polling', 'polling'];
  assert.deepEqual(sessions.map(({ name }) => name), names);
});

test('events open beside a WebSocket that does not answer within 4 seconds, and stay if they answer first', async (t) => {
  const { stream, sessions, open, tick, emitted } = await connect(t, { timeouts: {} });
  tick(3_999);
  assert.deepEqual(open().map(({ name }) => name), ['websocket']);
  tick(1);
  assert.deepEqual(open().map(({ name, visit }) => [name, visit]), [['websocket', sessions[0].visit], ['events', sessions[0].visit]]);
  open()[1].handlers.message(update('e1'));
  assert.deepEqual(open().map(({ name }) => name), ['events']);
  assert.deepEqual([stream.way, stream.state?.cursor, stream.connection], ['events', 'e1', 'live']);
  open()[0].handlers.message(update('e2'));
  assert.equal(emitted.filter(([type]) => type === 'state').length, 2);
  tick(15_000);
  assert.equal(open().at(-1)?.name, 'websocket'); // tried again later, as after any fallback
});

test('the WebSocket stays if it answers first; if it breaks, the events beside it go on', async (t) => {
  const first = await connect(t, { timeouts: {} });
  first.tick(4_000);
  first.open()[0].handlers.message(update('w1'));
  assert.deepEqual(first.open().map(({ name }) => name), ['websocket']);
  t.mock.timers.reset();
  const second = await connect(t, { timeouts: {} });
  second.tick(4_000);
  second.open()[0].handlers.closed(1006);
  assert.deepEqual(second.open().map(({ name }) => name), ['events']);
  second.tick(11_000); // events do not answer either
  assert.deepEqual(second.open(), []);
});

test('events that fail beside the WebSocket change nothing', async (t) => {
  const { open, tick, stream } = await connect(t, { timeouts: {} });
  tick(4_000);
  open()[1].handlers.closed(1006);
  assert.deepEqual(open().map(({ name }) => name), ['websocket']);
  open()[0].handlers.message(update('w1'));
  assert.deepEqual([stream.way, stream.connection], ['websocket', 'live']);
});

test('it upgrades one transport at a time, while the working one stays open', async (t) => {
  const { stream, sessions, open, tick, state } = await onPolling(t);
  tick(15_000);
  assert.deepEqual(open().map(({ name }) => name), ['polling', 'events']); // on trial
  open()[0].handlers.message(update('p2'));
  assert.equal(state().cursor, 'p2');
  open()[1].handlers.message(update('old'));
  assert.equal(state().cursor, 'p2', 'the messages of a trial are not applied');
  assert.deepEqual(open().map(({ name, cursor }) => [name, cursor]), [['events', 'p2']]);
  assert.equal(stream.connection, 'live');
  open()[0].handlers.message(update('e1'));
  tick(15_000);
  open()[1].handlers.message(update('w1'));
  assert.equal(stream.way, 'websocket');
  assert.ok(sessions.every((session) => session.sent.every((m) => m.type !== 'ping')));
});

test('a failed trial is repeated every 60 seconds and does not disturb the stream', async (t) => {
  const { stream, sessions, open, tick } = await onPolling(t);
  const before = sessions.length;
  for (let i = 0; i < 36; i++) {
    tick(5_000);
    open()[0].handlers.message(update(`p${i}`));
    open()[1]?.handlers.closed(1006);
  }
  assert.equal(stream.connection, 'live');
  assert.equal(sessions.length - before, 3); // at 15, 75 and 135 s of 180
});

test('a trial that hangs is closed', async (t) => {
  const { open, tick } = await onPolling(t);
  tick(15_000);
  open()[0].handlers.alive();
  tick(15_000);
  assert.deepEqual(open().map(({ name }) => name), ['polling']);
});

test('a connection without messages for 45 seconds is closed', async (t) => {
  const { stream, sessions, tick } = await connect(t);
  sessions[0].handlers.message({ type: 'heartbeat', cursor: 'c1', now: SNAPSHOT.now });
  tick(25_000);
  assert.equal(stream.connection, 'quiet');
  assert.deepEqual(sessions[0].sent, [{ type: 'ping', n: 1 }]);
  tick(20_000);
  assert.equal(sessions[0].open, false);
  tick(15_000);
  assert.equal(sessions.length, 2);
});

test('a connection without a first message is closed sooner', async (t) => {
  const { sessions, tick } = await connect(t);
  tick(15_000);
  assert.equal(sessions[0].open, false);
});

test('after the end it does not reconnect, and removes its listeners', async (t) => {
  const { sessions, emitted, world, tick, state } = await connect(t);
  sessions[0].handlers.message({ type: 'end', reason: 'delivered' });
  sessions[0].handlers.closed(1000);
  tick(600_000);
  assert.equal(sessions.length, 1);
  assert.equal(world.listeners, null);
  assert.deepEqual(emitted.map(([type]) => type), ['connection', 'state', 'end', 'connection']);
  assert.equal(state().ended, 'delivered');
});

for (const code of [4003, 4011]) {
  test(`close code ${code} ends the stream`, async (t) => {
    const { stream, sessions, fail } = await connect(t);
    fail(code);
    assert.equal(stream.connection, 'over');
    assert.equal(sessions.length, 1);
  });
}

test('it waits for as long as the server asks', async (t) => {
  const { sessions, tick } = await connect(t);
  sessions[0].handlers.closed(4103, 40_000);
  tick(49_000);
  assert.equal(sessions.length, 1);
  tick(1_000);
  assert.equal(sessions.length, 2);
});

test('when the network returns it connects at once, by the same transport', async (t) => {
  const { stream, sessions, world, listeners } = await connect(t);
  world.offline = true;
  listeners().offline();
  assert.equal(stream.connection, 'offline');
  sessions[0].handlers.closed(1006);
  assert.equal(stream.connection, 'offline');
  world.offline = false;
  listeners().online();
  assert.equal(sessions.length, 2);
  assert.equal(sessions[1].name, 'websocket');
});

test('when the page is visible again, a fresh connection stays and an old one is replaced', async (t) => {
  const { sessions, listeners } = await connect(t);
  sessions[0].handlers.message(update('c1'));
  listeners().visible();
  assert.equal(sessions.length, 1);
  t.mock.timers.setTime(3_600_000); // the device slept, so no timer ran
  listeners().visible();
  assert.equal(sessions.filter((session) => session.open).length, 1);
  assert.ok(sessions.length > 1);
});

test('after a paint, only the newest cursor is acknowledged', async (t) => {
  const { sessions, world } = await connect(t);
  for (const cursor of ['c1', 'c2', 'c3']) sessions[0].handlers.message(update(cursor));
  assert.deepEqual(sessions[0].sent, []);
  assert.equal(world.painted.length, 1);
  world.painted[0]();
  assert.deepEqual(sessions[0].sent, [{ type: 'seen', cursor: 'c3' }]);
});

test('a closed session is ignored', async (t) => {
  const { stream, sessions, fail, state } = await connect(t);
  fail();
  sessions[0].handlers.message(update('ghost'));
  sessions[0].handlers.closed(4003);
  assert.equal(state().cursor, 'c0');
  assert.notEqual(stream.connection, 'over');
});

test('a note that arrives twice is emitted once', async (t) => {
  const { sessions, emitted } = await connect(t);
  for (const text of ['Here', 'Here', 'There']) sessions[0].handlers.message(note(text));
  assert.deepEqual(emitted.filter(([type]) => type === 'message').map(([, detail]) => detail), ['Here', 'There'].map(note));
});

test('it can be closed', async (t) => {
  const { stream, sessions, open, tick } = await connect(t);
  stream.close();
  tick(60_000);
  assert.equal(open().length, 0);
  assert.equal(sessions.length, 1);
  assert.equal(stream.connection, 'over');
});
