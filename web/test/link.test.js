import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';

import { Sender, linkOf, pageOf, serviceOf } from '../src/link.js';

test('a tracking link gives the API address, whatever text follows it', () => {
  assert.equal(linkOf('https://track.example/t/abc'), 'https://track.example/v1/track/abc');
  assert.equal(linkOf('http://here:8080/embed/a-b_c/?x=1#y'), 'http://here:8080/v1/track/a-b_c');
  for (const more of ['.', ')', '%29.', '/', '/x/y', '&utm_source=mail', '。', '\u200b']) {
    assert.equal(linkOf(`https://track.example/t/a-b_c${more}`), 'https://track.example/v1/track/a-b_c');
  }
  assert.throws(() => linkOf('https://track.example/other'), TypeError);
});

test('a service may stand below a path', () => {
  for (const page of ['t', 'embed']) {
    assert.equal(linkOf(`https://shop.example/tracking/${page}/a-b`), 'https://shop.example/tracking/v1/track/a-b');
    assert.equal(serviceOf(`https://shop.example/a/b/${page}/a-b.?x=/t/c#/t/d`), 'https://shop.example/a/b');
    assert.equal(serviceOf(`https://track.example/${page}/a-b/t/c`), 'https://track.example');
  }
});

test('a note is sent, or refused with a retry delay', async () => {
  /** @type {unknown[]} */
  const bodies = [];
  /** @type {unknown[]} */
  const keys = [];
  const server = createServer(async (request, response) => {
    bodies.push(JSON.parse((await request.toArray()).join('')));
    keys.push(request.headers['idempotency-key']);
    response.writeHead(bodies.length === 1 ? 204 : 429, { 'Retry-After': '7' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/v1/track/abc`;
  const notes = new Sender(link, 'messages');
  await notes.send({ text: 'at the back "door"' });
  for (const text of ['again', 'again', 'at the back "door"']) {
    await assert.rejects(notes.send({ text }), { status: 429, retryAfter: 7_000 });
  }
  assert.deepEqual(bodies[0], { text: 'at the back "door"' });
  assert.equal(keys[1], keys[2]); // the same note again
  assert.equal(new Set(keys).size, 3);
  server.close();
  server.closeAllConnections();
  await assert.rejects(notes.send({ text: 'nobody there' }), { status: 0, retryAfter: 0 });
});

test('a page is shared without what may follow its address', () => {
  assert.equal(pageOf('https://track.example/shop/embed/abc-_1?lang=fi&theme=dark'), 'https://track.example/shop/t/abc-_1');
});
