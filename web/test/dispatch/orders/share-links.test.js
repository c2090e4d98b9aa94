import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shareLinks } from '../../../src/dispatch/orders/share-links.js';

const URL = 'https://shop.example/t/x?lang=fi&a=1';

test('texts reach the customer with the whole link', () => {
  const { sms, whatsapp, mail } = shareLinks({ url: URL, phone: '+358 (40) 123-4567', email: 'aino+x@shop.example' }, `Track: ${URL}`, 'Your order');
  assert.equal(sms, `sms:+358401234567?&body=${encodeURIComponent(`Track: ${URL}`)}`);
  assert.equal(whatsapp, `https://wa.me/358401234567?text=${encodeURIComponent(`Track: ${URL}`)}`);
  assert.equal(mail, `mailto:aino%2Bx@shop.example?subject=Your%20order&body=${encodeURIComponent(`Track: ${URL}`)}`);
});

test('without a number or its country, the app asks whom to write to', () => {
  assert.match(shareLinks({ url: URL, phone: '040 1234567' }, URL).whatsapp, /^https:\/\/wa\.me\/\?text=/);
  assert.match(shareLinks({ url: URL, phone: '00358 40 1 ext. 5' }, URL).whatsapp, /^https:\/\/wa\.me\/358401\?/);
  assert.match(shareLinks({ url: URL }, URL).sms, /^sms:\?&body=/);
});
