import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ImportList, orderOf, placeOf, problemsOf, stateOf } from '../../../../src/dispatch/orders/list/import-list.js';

const TODAY = { year: 2026, month: 12, day: 1 };
const READING = { day: TODAY, today: TODAY, now: 0, monthFirst: false, town: '' };
const HOUSE = { address: 'Main St 1, Town', lat: 60.1, lon: 24.9, precision: 'house' };
const FOUND = { place: HOUSE, candidates: [], ambiguous: false };
const SEVERAL = { place: null, candidates: [HOUSE, { ...HOUSE, lat: 61 }], ambiguous: true };
const NONE = { place: null, candidates: [], ambiguous: false };
/** @type {import('../../../../src/dispatch/orders/list/columns.js').Field[]} */
const COLUMNS = ['name', 'address', 'phone', 'window', 'reference'];

/** @param {string[]} lines with semicolons @param {string[]} [open] */
function listOf(lines, open) {
  return new ImportList({ rows: lines.map((line) => line.split(';')), lines: lines.map((_, n) => n + 1), columns: COLUMNS }, READING, open);
}

test('each address is searched once, and rows wait for it', () => {
  const list = listOf(['Aino;Main St 1', 'Eino;Main St 1', 'Väinö;Side St 2']);
  assert.deepEqual(list.unknownAddresses(), ['Main St 1', 'Side St 2']);
  assert.deepEqual(list.counts(), { all: 3, waiting: 3, wrong: 0, check: 0, ready: 0, leftOut: 0, created: 0 });
  list.locate(['Main St 1'], [FOUND]);
  assert.deepEqual(list.rows.map(stateOf), ['ready', 'ready', 'waiting']);
  assert.deepEqual(list.unknownAddresses(), ['Side St 2']);
});

test('a rough place is sent, but shown to be checked', () => {
  const list = listOf(['Aino;Main St']);
  list.locate(['Main St'], [{ ...FOUND, place: { ...HOUSE, precision: 'street' } }]);
  assert.deepEqual([stateOf(list.rows[0]), list.sendable().length], ['check', 1]);
  list.rows[0].checked = true;
  assert.equal(stateOf(list.rows[0]), 'ready');
});

test('an address that is not found is corrected in place', () => {
  const list = listOf(['Aino;Mian St 1', 'Eino;Twice St 1']);
  const [lost, twice] = list.rows;
  list.locate(['Mian St 1', 'Twice St 1'], [NONE, SEVERAL]);
  assert.deepEqual([lost, twice].flatMap(problemsOf).map(({ fault }) => fault), ['unknown', 'ambiguous']);
  list.edit(lost, 'address', 'Main St 1');
  assert.equal(stateOf(lost), 'waiting');
  list.locate(['Main St 1'], [FOUND]);
  list.pin(twice, SEVERAL.candidates[1]);
  assert.deepEqual(list.rows.map(stateOf), ['ready', 'ready']);
  assert.deepEqual(placeOf(twice), { lat: 61, lon: 24.9, precision: 'exact' });
});

test('an address goes alone, and a chosen place with its coordinates', () => {
  const list = listOf(['Aino;Main St 1;040 1234567;;7001', 'Eino;Twice St 1']);
  list.locate(['Main St 1', 'Twice St 1'], [FOUND, SEVERAL]);
  const common = { pickup: { lat: 1, lon: 2 } };
  assert.deepEqual(orderOf(list.rows[0], common), {
    ...common, dropoff: { address: 'Main St 1' }, customer: { name: 'Aino', phone: '040 1234567' }, reference: '7001',
  });
  list.pin(list.rows[1], { lat: 61.00000049, lon: 24.9 });
  assert.deepEqual(orderOf(list.rows[1], common), {
    ...common, dropoff: { address: 'Twice St 1', lat: 61, lon: 24.9 }, customer: { name: 'Eino' },
  });
});

test('a new address forgets the pin', () => {
  const list = listOf(['Aino;Main St 1']);
  list.pin(list.rows[0], { lat: 1, lon: 2 });
  list.edit(list.rows[0], 'name', 'Eino');
  assert.equal(placeOf(list.rows[0])?.lat, 1);
  list.edit(list.rows[0], 'address', 'Side St 2');
  assert.equal(placeOf(list.rows[0]), null);
});

test('what stands twice is left out once', () => {
  const list = listOf(['Aino;Main St 1', ' aino ;MAIN ST 1', 'Eino;Main St 1']);
  assert.deepEqual(list.rows.map(({ leftOut, sameAs }) => [leftOut, sameAs]), [[false, null], [true, 1], [false, null]]);
  list.rows[1].leftOut = false;
  assert.equal(stateOf(list.rows[1]), 'waiting');
});

test('what has the number of an open order is left out', () => {
  const list = listOf(['A;Side St 2;;;7001', 'B;Main St 1', 'C;Side St 2;;;7002'], ['7001']);
  assert.deepEqual(list.rows.map(({ sameAs, leftOut }) => [sameAs, leftOut]), [['open', true], [null, false], [null, false]]);
});

test('what the service says stands at its column', () => {
  const list = listOf(['Aino;Main St 1', 'Eino;Main St 2', 'Väinö;Main St 3']);
  list.locate(list.unknownAddresses(), [FOUND, FOUND, FOUND]);
  const [created, refused, odd] = list.rows;
  list.settle(created, { status: 201, order: { id: 'ord_1', tracking_url: 'https://shop.example/t/x' } });
  list.settle(refused, { status: 422, problem: { detail: 'no', errors: [{ field: 'customer.phone', detail: 'too long' }] } });
  list.settle(odd, { status: 503, problem: { detail: 'no map' } });
  assert.deepEqual(list.rows.map(stateOf), ['created', 'wrong', 'wrong']);
  assert.deepEqual(problemsOf(refused), [{ field: 'phone', fault: 'refused', detail: 'too long' }]);
  assert.deepEqual(problemsOf(odd), [{ field: 'row', fault: 'refused', detail: 'no map' }]);
  list.edit(refused, 'phone', '040 1234567');
  assert.equal(stateOf(refused), 'ready');
});
