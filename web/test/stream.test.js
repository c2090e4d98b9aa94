import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Ladder } from '../src/reconnect.js';
import { OrderStream } from '../src/stream.js';

const SNAPSHOT = JSON.parse(
  readFileSync(new URL('../../tests/samples/to_customer.snapshot.json', import.meta.url), 'utf8'),
);
const LINK = 'https://track.example/t/abc';
const update = (cursor, more = {}) => ({ type: 'update', cursor, now: SNAPSHOT.now, ...more });

/** A stream whose ways, network and screen the test drives; with the test's clock. */
async function connect(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const lines = [];
  const told = [];
  const world = { offline: false, screen: [], heard: null };
  const way = (name) => (link, cursor, ears, visit) => {
    const line = { name, link, cursor, ears, visit, sent: [], open: true };
    lines.push(line);
    return Object.assign(line, { send: (m) => line.sent.push(m), close: () => (line.open = false) });
  };
  const surroundings = {
    offline: () => world.offline,
    whenOpened: queueMicrotask,
    whenShown: (act) => world.screen.push(act),
    listen: (heard) => ((world.heard = heard), () => (world.heard = null)),
  };
  const stream = new OrderStream(LINK, {
    snapshot: { ...SNAPSHOT, cursor: 'c0' }, ways: ['websocket', 'events', 'polling'].map(way), surroundings,
    ladder: new Ladder(3, () => 1), ...options,
  });
  for (const type of ['snapshot', 'state', 'message', 'end', 'connection']) {
    stream.addEventListener(type, ({ detail }) => told.push([type, type === 'connection' ? detail.connection : detail]));
  }
  await null; // it connects once the caller had time to listen
  const open = () => lines.filter((line) => line.open);
  const fail = (code = 1006, wish = 0) => (open()[0].ears.closed(code, wish), t.mock.timers.tick(15_000));
  return { stream, lines, told, world, open, fail, tick: (ms) => t.mock.timers.tick(ms) };
}

/** Fails until it reads by polling. */
async function onPolling(t) {
  const all = await connect(t);
  for (let i = 0; i < 5; i++) all.fail();
  assert.equal(all.open()[0].name, 'polling');
  all.open()[0].ears.message(update('p1'));
  return all;
}

test('it comes back with the newest cursor', async (t) => {
  const { lines, tick } = await connect(t);
  assert.equal(lines[0].cursor, '', 'the cursor of the page itself is none of a running page');
  lines[0].ears.message(update('c7'));
  lines[0].ears.closed(1006);
  tick(15_000);
  assert.deepEqual(lines.map(({ name, cursor }) => [name, cursor]), [['websocket', ''], ['websocket', 'c7']]);
});

test('until the service speaks, each try is the same visit without a cursor; another page is another visit', async (t) => {
  const { lines, fail } = await connect(t);
  for (let i = 0; i < 6; i++) fail();
  assert.deepEqual([...new Set(lines.map(({ cursor }) => cursor))], ['']);
  const visits = new Set(lines.map(({ visit }) => visit));
  assert.equal(visits.size, 1);
  assert.match([...visits][0], /^[0-9a-f]{24}$/);
  t.mock.timers.reset();
  assert.ok(!visits.has((await connect(t)).lines[0].visit));
});

test('a page that is only prerendered connects to nothing', async (t) => {
  let opened;
  const surroundings = { offline: () => false, whenOpened: (act) => (opened = act), whenShown() {}, listen: () => () => {} };
  const { lines, stream } = await connect(t, { surroundings });
  assert.equal(lines.length, 0);
  opened();
  assert.equal(lines.length, 1);
  stream.close();
});

test('three failed WebSockets, then events, then polling; never two at once', async (t) => {
  const { lines, open, fail } = await connect(t);
  for (let i = 0; i < 6; i++) {
    assert.equal(open().length, 1);
    fail();
  }
  const names = ['websocket', 'websocket', 'websocket', 'events', 'events', 'polling', 'polling'];
  assert.deepEqual(lines.map(({ name }) => name), names);
});

test('back up one step at a time, while what works goes on', async (t) => {
  const { stream, lines, open, tick } = await onPolling(t);
  tick(15_000);
  assert.deepEqual(open().map(({ name }) => name), ['polling', 'events']); // on trial
  open()[0].ears.message(update('p2'));
  assert.equal(stream.state.cursor, 'p2');
  open()[1].ears.message(update('old'));
  assert.equal(stream.state.cursor, 'p2', 'what a trial says is not read');
  assert.deepEqual(open().map(({ name, cursor }) => [name, cursor]), [['events', 'p2']]);
  assert.equal(stream.connection, 'live');
  open()[0].ears.message(update('e1'));
  tick(15_000);
  open()[1].ears.message(update('w1'));
  assert.equal(stream.way, 'websocket');
  assert.ok(lines.every((line) => line.sent.every((m) => m.type !== 'ping')));
});

test('a trial that fails is repeated every 60 seconds and disturbs nothing', async (t) => {
  const { stream, lines, open, tick } = await onPolling(t);
  const before = lines.length;
  for (let i = 0; i < 36; i++) {
    tick(5_000);
    open()[0].ears.message(update(`p${i}`));
    open()[1]?.ears.closed(1006);
  }
  assert.equal(stream.connection, 'live');
  assert.equal(lines.length - before, 3); // at 15, 75 and 135 s of 180
});

test('a trial that hangs is given up', async (t) => {
  const { open, tick } = await onPolling(t);
  tick(15_000);
  open()[0].ears.alive();
  tick(15_000);
  assert.deepEqual(open().map(({ name }) => name), ['polling']);
});

test('a connection that says nothing for 45 seconds is given up', async (t) => {
  const { stream, lines, tick } = await connect(t);
  lines[0].ears.message({ type: 'heartbeat', cursor: 'c1', now: SNAPSHOT.now });
  tick(25_000);
  assert.equal(stream.connection, 'quiet');
  assert.deepEqual(lines[0].sent, [{ type: 'ping', n: 1 }]);
  tick(20_000);
  assert.equal(lines[0].open, false);
  tick(15_000);
  assert.equal(lines.length, 2);
});

test('a connection that never says a first word is given up sooner', async (t) => {
  const { lines, tick } = await connect(t);
  tick(15_000);
  assert.equal(lines[0].open, false);
});

test('after the end it stays away, and hears nothing of the page either', async (t) => {
  const { stream, lines, told, world, tick } = await connect(t);
  lines[0].ears.message({ type: 'end', reason: 'delivered' });
  lines[0].ears.closed(1000);
  tick(600_000);
  assert.equal(lines.length, 1);
  assert.equal(world.heard, null);
  assert.deepEqual(told.map(([type]) => type), ['connection', 'state', 'end', 'connection']);
  assert.equal(stream.state.ended, 'delivered');
});

for (const code of [4003, 4011]) {
  test(`close code ${code} is the end`, async (t) => {
    const { stream, lines, fail } = await connect(t);
    fail(code);
    assert.equal(stream.connection, 'over');
    assert.equal(lines.length, 1);
  });
}

test('the server is waited for as long as it asks', async (t) => {
  const { lines, tick } = await connect(t);
  lines[0].ears.closed(4103, 40_000);
  tick(49_000);
  assert.equal(lines.length, 1);
  tick(1_000);
  assert.equal(lines.length, 2);
});

test('when the network is back it connects at once, by the same way', async (t) => {
  const { stream, lines, world } = await connect(t);
  world.offline = true;
  world.heard.offline();
  assert.equal(stream.connection, 'offline');
  lines[0].ears.closed(1006);
  assert.equal(stream.connection, 'offline');
  world.offline = false;
  world.heard.online();
  assert.equal(lines.length, 2);
  assert.equal(lines[1].name, 'websocket');
});

test('looked at again: a fresh connection is kept, an old one is not believed', async (t) => {
  const { lines, world } = await connect(t);
  lines[0].ears.message(update('c1'));
  world.heard.looked();
  assert.equal(lines.length, 1);
  t.mock.timers.setTime(3_600_000); // asleep: no timer ran
  world.heard.looked();
  assert.equal(lines.filter((line) => line.open).length, 1);
  assert.ok(lines.length > 1);
});

test('what has been shown is told once it was on the screen, the newest only', async (t) => {
  const { lines, world } = await connect(t);
  for (const cursor of ['c1', 'c2', 'c3']) lines[0].ears.message(update(cursor));
  assert.deepEqual(lines[0].sent, []);
  assert.equal(world.screen.length, 1);
  world.screen.pop()();
  assert.deepEqual(lines[0].sent, [{ type: 'seen', cursor: 'c3' }]);
});

test('a line that was hung up is heard no more', async (t) => {
  const { stream, lines, fail } = await connect(t);
  fail();
  lines[0].ears.message(update('ghost'));
  lines[0].ears.closed(4003);
  assert.equal(stream.state.cursor, 'c0');
  assert.notEqual(stream.connection, 'over');
});

test('words that come again after a cut are told once', async (t) => {
  const { lines, told } = await connect(t);
  for (const text of ['Here', 'Here', 'There']) lines[0].ears.message({ type: 'message', from: 'driver', text, at: 'then' });
  assert.deepEqual(told.filter(([type]) => type === 'message').map(([, { text }]) => text), ['Here', 'There']);
});

test('it can be left', async (t) => {
  const { stream, lines, open, tick } = await connect(t);
  stream.close();
  tick(60_000);
  assert.equal(open().length, 0);
  assert.equal(lines.length, 1);
  assert.equal(stream.connection, 'over');
});
