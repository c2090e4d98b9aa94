import assert from 'node:assert/strict';
import test from 'node:test';

import { SignInFailed, credentialIn, credentialOf, pair } from '../../src/drive/sign-in.js';

test('a link has a code or a token', () => {
  assert.deepEqual(credentialIn('#pair=7K3QM-X9RTB'), { code: '7K3QM-X9RTB' });
  assert.deepEqual(credentialIn('#token=abc'), { token: 'abc' });
  assert.equal(credentialIn(''), null);
  assert.equal(credentialIn('#top'), null);
});

test('a driver may type a code, a token or a whole link', () => {
  assert.deepEqual(credentialOf(' 7k3qm x9rtb '), { code: '7k3qm x9rtb' });
  assert.deepEqual(credentialOf('https://t.example/drive#pair=7K3QM-X9RTB'), { code: '7K3QM-X9RTB' });
  assert.deepEqual(credentialOf('x'.repeat(43)), { token: 'x'.repeat(43) });
  assert.equal(credentialOf('  '), null);
});

test('a failed pairing says why', async () => {
  const before = globalThis.fetch;
  for (const [status, why] of /** @type {const} */ ([[404, 'unknown_code'], [429, 'too_many'], [503, 'failed'], [0, 'offline']])) {
    globalThis.fetch = async () => {
      if (!status) throw new TypeError('no network');
      return new Response('{}', { status });
    };
    await assert.rejects(pair('https://t.example/', 'X', 'key'), (error) => error instanceof SignInFailed && error.why === why);
  }
  globalThis.fetch = before;
});
