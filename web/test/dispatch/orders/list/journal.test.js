import assert from 'node:assert/strict';
import { test } from 'node:test';

import { restoreAll } from '../../../../src/dispatch/orders/list/creation.js';
import { ImportList } from '../../../../src/dispatch/orders/list/import-list.js';
import { Journal } from '../../../../src/dispatch/orders/list/journal.js';

const TODAY = { year: 2026, month: 12, day: 1 };
const READING = { day: TODAY, today: TODAY, now: 0, monthFirst: false, town: '' };
const HOUR = 3_600_000;

/** @param {string[]} names */
function rowsOf(names) {
  const rows = names.map((name) => [name, 'Main St 1']);
  return new ImportList({ rows, lines: rows.map((_, n) => n + 1), columns: ['name', 'address'] }, READING).rows;
}

/** @param {{now: number}} clock */
function journalAt(clock) {
  /** @type {Map<string, string>} */ const kept = new Map();
  const storage = { getItem: (/** @type {string} */ name) => kept.get(name) ?? null, setItem: (/** @type {string} */ name, /** @type {string} */ text) => void kept.set(name, text) };
  return { journal: new Journal('https://shop.example', storage, () => clock.now), kept };
}

test('a row is known for a day by what it says, and nothing of it is kept', () => {
  const clock = { now: 1e12 };
  const { journal, kept } = journalAt(clock);
  const [aino, eino] = rowsOf(['Aino', 'Eino']);
  aino.order = { id: 'ord_1', url: 'https://shop.example/t/1' };
  journal.add([aino, eino]);
  assert.ok(![...kept.values()].join('').match(/Aino|Main/i));
  clock.now += 23 * HOUR;
  const [again, other] = rowsOf([' AINO ', 'Eino']);
  const { ids, since } = journal.find([again, other]);
  assert.deepEqual([[...ids], since], [[[again, 'ord_1']], 1e12]);
  clock.now += 2 * HOUR;
  assert.equal(journal.find([again]).ids.size, 0);
});

test('a row that stands twice is found once', () => {
  const { journal } = journalAt({ now: 1e12 });
  const rows = rowsOf(['Aino', 'Aino']);
  rows[0].order = { id: 'ord_1', url: 'x' };
  journal.add([rows[0]]);
  assert.deepEqual([...journal.find(rowsOf(['Aino', 'Aino'])).ids.values()], ['ord_1']);
});

test('rows with other texts have other hashes', () => {
  const { journal } = journalAt({ now: 1e12 });
  const rows = rowsOf(Array.from({ length: 5_000 }, (_, n) => `Customer ${n}`));
  for (const row of rows) row.order = { id: `ord_${row.number}`, url: 'x' };
  journal.add(rows);
  assert.equal(journal.find(rows).ids.size, 5_000);
});

test('storage that is damaged, full or forbidden is no obstacle', () => {
  const [aino] = rowsOf(['Aino']);
  aino.order = { id: 'ord_1', url: 'x' };
  const storage = { getItem: () => '{"a":7', setItem: () => { throw new Error('full'); } };
  const journal = new Journal('x', storage);
  journal.add([aino]);
  assert.equal(journal.find([aino]).ids.size, 0);
});

test('links come back with the orders that still count, page by page', async () => {
  const [kept, cancelled, erased] = rowsOf(['Aino', 'Eino', 'Väinö']);
  const pages = [
    { items: [{ id: 'ord_9', status: 'created', tracking_url: 'y' }, { id: 'ord_2', status: 'cancelled', tracking_url: 'z' }], next: 'more' },
    { items: [{ id: 'ord_1', status: 'assigned', tracking_url: 'https://shop.example/t/1' }], next: null },
  ];
  /** @type {string[]} */ const asked = [];
  const get = async (/** @type {string} */ path) => (asked.push(path), pages[asked.length - 1]);
  await restoreAll(new Map([[kept, 'ord_1'], [cancelled, 'ord_2'], [erased, 'ord_3']]), 1e12, { get });
  assert.deepEqual([kept.order?.url, cancelled.order, erased.order], ['https://shop.example/t/1', null, null]);
  assert.match(asked[1], /&cursor=more$/);
});
