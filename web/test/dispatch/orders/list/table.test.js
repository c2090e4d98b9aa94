import assert from 'node:assert/strict';
import { test } from 'node:test';

import Papa from 'papaparse';

import { MOST_ROWS, tableOf } from '../../../../src/dispatch/orders/list/table.js';

/** @param {string} text @param {Parameters<typeof tableOf>[2]} [wanted] */
function read(text, wanted) {
  const table = tableOf(text, Papa, wanted);
  assert.ok(table);
  return table;
}

test('a plain list has one address a line', () => {
  const table = read('Kasarmikatu 36, 00130 Helsinki\r\n\r\n  Rautatientori 1, 00100 Helsinki \r\n');
  assert.equal(table.shape, 'lines');
  assert.deepEqual(table.rows, [['Kasarmikatu 36, 00130 Helsinki'], ['Rautatientori 1, 00100 Helsinki']]);
  assert.deepEqual([table.columns, table.header, table.lines], [['address'], null, [1, 3]]);
});

test('bullets and numbers of a plain list are left out, but not the number of a street', () => {
  assert.deepEqual(read('- Main St 1\n• Main St 2').rows, [['Main St 1'], ['Main St 2']]);
  assert.deepEqual(read('1. Main St 1\n2. Main St 2').rows, [['Main St 1'], ['Main St 2']]);
  assert.deepEqual(read('1. linja 5\n3. linja 7').rows, [['1. linja 5'], ['3. linja 7']]);
});

test('semicolons, tabs, bars and commas part columns', () => {
  for (const sign of [';', '\t', '|', ',']) {
    const lines = [['Name', 'Address', 'Phone'], ['Aino', 'Kasarmikatu 36', '040 1234567'], ['Väinö', 'Rautatientori 1', '']];
    const table = read(lines.map((line) => line.join(sign)).join('\n'));
    assert.equal(table.shape, sign);
    assert.deepEqual(table.header, lines[0]);
    assert.deepEqual(table.rows, lines.slice(1));
    assert.deepEqual(table.columns, ['name', 'address', 'phone']);
  }
});

test('quotes hold delimiters, quotes and line breaks', () => {
  const table = read('name,address,note\n"Doe, Jo","Main St 1\nFlat 2","say ""hi"""\nX,Y 2,z\n');
  assert.deepEqual(table.rows[0], ['Doe, Jo', 'Main St 1\nFlat 2', 'say "hi"']);
  assert.deepEqual(table.lines, [2, 4]);
});

test('commas without a header part columns if one of them is no part of an address', () => {
  assert.equal(read('Aino,Kasarmikatu 36,040 1234567\nVäinö,Rautatientori 1,040 7654321').shape, ',');
  assert.equal(read('Kasarmikatu 36, Helsinki\nRautatientori 1, Helsinki').shape, 'lines');
  assert.deepEqual(read('Aino,Kasarmikatu 36,040 1234567\nVäinö,Rautatientori 1,040 7654321').columns, ['name', 'address', 'phone']);
});

test('a person can say how to read it', () => {
  const text = 'Kasarmikatu 36, Helsinki\nRautatientori 1, Helsinki';
  assert.deepEqual(read(text, { shape: ',' }).rows, [['Kasarmikatu 36', 'Helsinki'], ['Rautatientori 1', 'Helsinki']]);
  assert.equal(read('name;address\nA;B 1', { header: false }).rows.length, 2);
  assert.equal(read('Aino;Katu 1\nEino;Katu 2', { header: true }).rows.length, 1);
});

test('the mark and the hint of spreadsheets are no content', () => {
  assert.deepEqual(read('\ufeffsep=;\r\nnimi;osoite\r\nAino;Katu 1').rows, [['Aino', 'Katu 1']]);
});

test('nothing is nothing, and 5,000 rows are the most', () => {
  for (const text of ['', ' \n \t', '\ufeff']) assert.equal(tableOf(text, Papa), null);
  const many = read(Array.from({ length: MOST_ROWS + 7 }, (_, n) => `Main St ${n + 1}`).join('\n'));
  assert.deepEqual([many.rows.length, many.left], [MOST_ROWS, 7]);
});

test('a broken quote does not end the reading', () => {
  assert.equal(read('name;address\n"Aino;Katu 1\nEino;Katu 2').header?.length, 2);
});
