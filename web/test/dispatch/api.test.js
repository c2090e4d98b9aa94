import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Api, Problem, problemText } from '../../src/dispatch/api.js';
import { wordsIn } from './fixtures.js';

const words = wordsIn('en');

/** @param {import('node:test').TestContext} t @param {Response|null} answer null: no network */
function api(t, answer) {
  /** @type {[string, RequestInit][]} */ const sent = [];
  let ended = 0;
  t.mock.method(globalThis, 'fetch', async (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
    sent.push([url, init]);
    if (!answer) throw new TypeError('no network');
    return answer;
  });
  return { sent, client: new Api('https://track.example', () => (ended += 1)), endings: () => ended };
}

/** @param {number} status @param {object} body @param {Record<string, string>} [headers] */
const problem = (status, body, headers = {}) => Response.json(body, { status, headers: { 'Content-Type': 'application/problem+json', ...headers } });
/** @param {Promise<unknown>} call */
const failure = (call) => call.then(() => '', (error) => problemText(error, words));

test('a change is sent with a key of its own', async (t) => {
  const { client, sent } = api(t, Response.json({ id: 'ord_1' }, { status: 201 }));
  assert.deepEqual(await client.post('v1/orders', { reference: 'A' }), { id: 'ord_1' });
  const [[url, { method, headers, body }]] = sent;
  assert.deepEqual([url, method, body], ['https://track.example/v1/orders', 'POST', '{"reference":"A"}']);
  assert.match(new Headers(headers).get('Idempotency-Key') ?? '', /./);
});

test('an answer without content is null', async (t) => {
  assert.equal(await api(t, new Response(null, { status: 204 })).client.call('DELETE', 'v1/session'), null);
});

test('a session that is over is reported, a wrong key at the log-in is not', async (t) => {
  const { client, endings } = api(t, problem(401, {}));
  await failure(client.get('v1/orders'));
  await failure(client.get('v1/session'));
  assert.equal(endings(), 1);
});

test('a refusal says what the service says, with its fields', async (t) => {
  const errors = [{ field: 'pickup', detail: 'is not on the map' }];
  assert.equal(await failure(api(t, problem(422, { detail: 'Wrong.', errors })).client.get('x')), 'Wrong. pickup: is not on the map');
});

for (const [status, text] of /** @type {const} */ ([[429, 'Too many attempts. Try again in 9 sec.'], [500, 'The service refused this (status 500).'],
  [412, 'Somebody else changed this meanwhile. Look again, and repeat it if it is still right.']])) {
  test(`a status ${status} has its text`, async (t) => {
    assert.equal(await failure(api(t, problem(status, {}, { 'Retry-After': '9' })).client.get('x')), text);
  });
}

test('no network is a problem, and a mistake of ours is none', async (t) => {
  const { client } = api(t, null);
  assert.equal(await failure(client.get('x')), 'The service cannot be reached. Check the network, and try again.');
  assert.throws(() => problemText(new TypeError('ours'), words), /ours/);
  assert.equal(new Problem(0, {}).status, 0);
});
