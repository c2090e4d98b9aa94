import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SseParser } from '../src/sse-parser.js';

const STREAM = 'retry: 2000\n\n: here\n\nevent: update\nid: 3f-1\ndata: {"a":1}\n\nevent: two\ndata:one\r\ndata: two\r\n\r\nid: 4\n\ndata\n\n';

test('events, comments, ids and all kinds of line ends', () => {
  assert.deepEqual(new SseParser().add(STREAM), ['{"a":1}', 'one\ntwo', '']);
});

test('the stream may be cut anywhere', () => {
  for (let size = 1; size < 9; size++) {
    const text = new SseParser();
    /** @type {string[]} */
    const events = [];
    for (let i = 0; i < STREAM.length; i += size) events.push(...text.add(STREAM.slice(i, i + size)));
    assert.deepEqual(events, ['{"a":1}', 'one\ntwo', ''], `pieces of ${size}`);
  }
});

test('the latest retry field counts, and a malformed one is ignored', () => {
  const text = new SseParser();
  text.add('retry: 2000\n\nretry: soon\n\n');
  assert.equal(text.retry, 2_000);
  text.add('retry: 9000\n\n');
  assert.equal(text.retry, 9_000);
});

test('a line that never ends throws before it fills the memory', () => {
  const text = new SseParser();
  text.add('data: ');
  assert.throws(() => {
    for (let i = 0; i < 50; i++) text.add('x'.repeat(100_000));
  }, RangeError);
});
