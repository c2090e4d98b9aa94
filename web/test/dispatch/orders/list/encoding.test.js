import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, MOST_BYTES } from '../../../../src/dispatch/orders/list/encoding.js';

const TEXT = 'Käyntiosoite;Straße\nMäkelänkatu 5;Größe 7';

/** @param {Buffer} bytes @returns {Uint8Array} */
const plain = (bytes) => new Uint8Array(bytes);

test('what spreadsheets and editors write is read', () => {
  const cases = /** @type {const} */ ([
    ['utf-8', Buffer.from(TEXT)],
    ['utf-8', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(TEXT)])],
    ['windows-1252', Buffer.from(TEXT, 'latin1')],
    ['utf-16le', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(TEXT, 'utf16le')])],
    ['utf-16be', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(TEXT, 'utf16le').swap16()])],
    ['utf-16le', Buffer.from(TEXT, 'utf16le')],
  ]);
  for (const [encoding, bytes] of cases) assert.deepEqual(decode(plain(bytes)), { text: TEXT, encoding });
});

test('the euro sign of Windows-1252 is read', () => {
  assert.deepEqual(decode(new Uint8Array([0x35, 0x20, 0x80])), { text: '5 €', encoding: 'windows-1252' });
});

test('what is no list is refused by name', () => {
  const noise = new Uint8Array(5_000).map((_, n) => (n * 7_919) % 251);
  assert.deepEqual(decode(new Uint8Array()), { unreadable: 'empty' });
  assert.deepEqual(decode(plain(Buffer.from(' \n\t\n'))), { unreadable: 'empty' });
  assert.deepEqual(decode(plain(Buffer.from('PK\u0003\u0004…'))), { unreadable: 'spreadsheet' });
  assert.deepEqual(decode(noise), { unreadable: 'binary' });
  assert.deepEqual(decode(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13])), { unreadable: 'binary' });
  assert.deepEqual(decode(new Uint8Array(MOST_BYTES + 1)), { unreadable: 'too-big' });
});
