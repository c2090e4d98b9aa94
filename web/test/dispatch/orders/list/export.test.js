import assert from 'node:assert/strict';
import { test } from 'node:test';

import Papa from 'papaparse';

import { delimiterOf, linksCsv, linksText } from '../../../../src/dispatch/orders/list/export.js';
import { ImportList } from '../../../../src/dispatch/orders/list/import-list.js';

const TODAY = { year: 2026, month: 12, day: 1 };
const READING = { day: TODAY, today: TODAY, now: 0, monthFirst: false, town: '' };
const HEADER = ['No.', 'Name', 'Address', 'Phone', 'Reference', 'Result', 'Problem', 'Link'];

/** @param {string[]} cells name, address, phone @param {string} [url] */
function rowOf(cells, url) {
  const [row] = new ImportList({ rows: [cells], lines: [1], columns: ['name', 'address', 'phone'] }, READING).rows;
  if (url) row.order = { id: 'ord_1', url };
  return row;
}

test('the table of links begins no formula', () => {
  for (const sign of ['=', '+', '-', '@', '\t=']) {
    const text = linksCsv([rowOf([`${sign}HYPERLINK("http://evil.example")`, 'Main St 1', '+358 40 1'])], Papa, { header: HEADER, locale: 'en' }, () => ({ state: 'x', problem: '' }));
    const [, cells] = Papa.parse(/** @type {string} */ (text.slice(1)), { delimiter: ',' }).data;
    assert.deepEqual(/** @type {string[]} */ (cells).filter((cell) => /^[=+\-@\t\r]/.test(cell)), [], sign);
  }
});

test('what it writes, the import reads again', () => {
  const row = rowOf(['Doe, "Jo"', 'Main St 1;2', '+358 40 1'], 'https://shop.example/t/x');
  for (const locale of ['en', 'de']) {
    const text = linksCsv([row], Papa, { header: HEADER, locale }, () => ({ state: 'Created', problem: '' }));
    assert.ok(text.startsWith('\ufeffNo.'));
    const [, cells] = Papa.parse(text.slice(1), { delimiter: delimiterOf(locale) }).data;
    assert.deepEqual(cells, ['1', 'Doe, "Jo"', 'Main St 1;2', "'+358 40 1", '', 'Created', '', 'https://shop.example/t/x']);
  }
});

test('spreadsheets of a country get their delimiter', () => {
  assert.deepEqual(['en', 'de', 'fi', 'ar-EG'].map(delimiterOf), [',', ';', ';', ';']);
});

test('the links alone go into a message', () => {
  const rows = [rowOf(['Aino', 'Main St 1', ''], 'https://shop.example/t/1'), rowOf(['', 'Main St 2', ''], 'https://shop.example/t/2'), rowOf(['Eino', 'Main St 3', ''])];
  assert.equal(linksText(rows), 'Aino\thttps://shop.example/t/1\nMain St 2\thttps://shop.example/t/2');
});
