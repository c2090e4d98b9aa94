import assert from 'node:assert/strict';
import test from 'node:test';

import { again, nextAction, nextDelay, refuse, unsent } from '../../src/drive/queue.js';

/** @typedef {import('../../types/driver.js').Action} Action */

let seq = 0;

/** @param {Partial<Action>} more @returns {Action} */
function action(more) {
  return { seq: ++seq, key: `key-${seq}`, kind: 'status', at: '2026-11-22T16:43:00.000Z', order: 'ord_a', ...more };
}

test('the actions of an order keep their sequence, and other orders do not wait', () => {
  const [pin, delivered, other] = [action({ kind: 'proof', retryAt: 500 }), action({}), action({ order: 'ord_b' })];
  assert.equal(nextAction([pin, delivered, other], 0), other);
  assert.equal(nextAction([pin, delivered], 0), null);
  assert.equal(nextAction([pin, delivered], 500), pin);
  assert.equal(nextDelay([pin, delivered], 100), 400);
  assert.equal(nextDelay([delivered], 100), null);
});

test('a refused action is not sent again by itself', () => {
  const refused = action({ refusal: { code: 'conflict', detail: '' } });
  const next = action({});
  assert.equal(nextAction([refused, next], 0), next);
  assert.equal(unsent([refused, next]), 1);
});

test('a wrong PIN withdraws the delivery behind it, but not the photo or a note', () => {
  const pin = action({ kind: 'proof', proof: 'pin' });
  const photo = action({ kind: 'proof', proof: 'photo' });
  const note = action({ kind: 'note', text: 'here' });
  const delivered = action({ status: 'delivered' });
  const other = action({ order: 'ord_b', status: 'delivered' });
  const changed = refuse([pin, photo, note, delivered, other], pin, { code: 'invalid_fields', detail: 'wrong' }, 0);
  assert.deepEqual(changed.remove, [delivered]);
  assert.deepEqual(changed.put.map(({ seq: each, withdrew }) => [each, withdrew]), [[pin.seq, 'delivered']]);
});

test('a temporary refusal delays an action, and the fifth wrong PIN does not', () => {
  const refusal = { code: 'rate_limited', detail: '', retryAfter: 3_000 };
  const note = action({ kind: 'note' });
  assert.equal(refuse([note], note, refusal, 1_000).put[0].retryAt, 4_000);
  const pin = action({ kind: 'proof', proof: 'pin' });
  assert.equal(refuse([pin], pin, refusal, 1_000).put[0].refusal, refusal);
});

test('a repeated action is a new one', () => {
  const refused = action({ status: 'delivered', refusal: { code: 'conflict', detail: '' }, withdrew: 'delivered' });
  const { key, ...fresh } = again(refused);
  assert.notEqual(key, refused.key);
  assert.deepEqual(fresh, { kind: 'status', at: refused.at, order: 'ord_a', status: 'delivered' });
});
