import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shareLinks } from '../../../src/dispatch/share/share-links.js';

const TEXT = 'Follow: https://track.example/t/abc?x=1&y';

test('the message goes whole to the customer', () => {
  const urls = shareLinks(TEXT, 'Order A&1', { phone: '+358 40 (123)', email: 'a+b@c.fi' }).map(({ url }) => url);
  assert.deepEqual(urls.map((url) => url.split('body=')[0].split('?text=')[0]), ['sms:+35840123?&', 'https://wa.me/35840123', 'mailto:a%2Bb@c.fi?subject=Order%20A%261&']);
  for (const url of urls) assert.ok(url.endsWith(encodeURIComponent(TEXT)), url);
});

test('what is unknown, the dispatcher fills in', () => {
  const [national, international, extended] = ['040 123', '0035840', '00358 40 1 ext. 5'].map((phone) => shareLinks('x', 'y', { phone }).map(({ url }) => url));
  assert.deepEqual(national, ['sms:040123?&body=x', 'https://wa.me/?text=x', 'mailto:?subject=y&body=x']);
  assert.equal(international[1], 'https://wa.me/35840?text=x');
  assert.equal(extended[1], 'https://wa.me/358401?text=x');
  assert.equal(shareLinks('x', 'y', null)[0].url, 'sms:?&body=x');
});
