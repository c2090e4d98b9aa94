import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventText } from '../src/sse-parser.js';

const STREAM = 'retry: 2000\n\n: here\n\nevent: update\nid: 3f-1\ndata: {"a":1}\n\nevent: two\ndata:one\r\ndata: two\r\n\r\nid: 4\n\ndata\n\n';

test('events, comments, ids and line ends of all kinds', () => {
  assert.deepEqual(new EventText().add(STREAM), ['{"a":1}', 'one\ntwo', '']);
});

test('it does not matter where the stream is cut', () => {
  for (let size = 1; size < 9; size++) {
    const text = new EventText();
    const heard = [];
    for (let i = 0; i < STREAM.length; i += size) heard.push(...text.add(STREAM.slice(i, i + size)));
    assert.deepEqual(heard, ['{"a":1}', 'one\ntwo', ''], `pieces of ${size}`);
  }
});

test('how long to wait after the end is what was said last', () => {
  const text = new EventText();
  text.add('retry: 2000\n\nretry: soon\n\n');
  assert.equal(text.retry, 2_000);
  text.add('retry: 9000\n\n');
  assert.equal(text.retry, 9_000);
});

test('an event that never ends is refused before it fills the memory', () => {
  const text = new EventText();
  text.add('data: ');
  assert.throws(() => {
    for (let i = 0; i < 50; i++) text.add('x'.repeat(100_000));
  }, RangeError);
});
