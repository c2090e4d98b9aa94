import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addressOf, draftOf, isPhone, valuesOf } from '../../../../src/dispatch/orders/list/rows.js';

const TODAY = { year: 2026, month: 12, day: 1 };
const NOON = new Date(2026, 11, 1, 12).getTime();
const READING = { day: TODAY, today: TODAY, now: NOON, monthFirst: false, town: '' };

/** @param {import('../../../../src/dispatch/orders/list/rows.js').Values} values @param {Partial<typeof READING>} [reading] */
const draft = (values, reading = {}) => draftOf({ address: 'Main St 1', ...values }, { ...READING, ...reading });
/** @param {import('../../../../src/dispatch/orders/list/rows.js').Values} values */
const faults = (values) => draft(values).problems.map(({ field, fault }) => `${field} ${fault}`);
/** @param {number} hour @param {number} [day] */
const at = (hour, day = 1) => new Date(2026, 11, day, hour).toISOString();

test('an address is made of its parts', () => {
  assert.equal(addressOf({ street: 'Katu', number: '5 B', postcode: '00100', city: 'Helsinki' }, ''), 'Katu 5 B, 00100 Helsinki');
  assert.equal(addressOf({ address: 'Katu 5\nFlat 2', city: 'Helsinki' }, ''), 'Katu 5, Flat 2, Helsinki');
  assert.equal(addressOf({ address: 'Katu 5, 00100 Helsinki', city: 'Helsinki', postcode: '00100' }, ''), 'Katu 5, 00100 Helsinki');
});

test('the town of the list is for addresses without one', () => {
  assert.equal(addressOf({ address: 'Katu 5' }, 'Helsinki'), 'Katu 5, Helsinki');
  assert.equal(addressOf({ address: 'Katu 5, helsinki' }, 'Helsinki'), 'Katu 5, helsinki');
  assert.equal(addressOf({ address: 'Katu 5', city: 'Espoo' }, 'Helsinki'), 'Katu 5, Espoo');
  assert.equal(addressOf({}, 'Helsinki'), '');
});

test('a row has what its columns say, without the guard of spreadsheets', () => {
  assert.deepEqual(valuesOf(['Aino', "'+358 40 1", 'x'], ['name', 'phone', null]), { name: 'Aino', phone: '+358 40 1' });
});

test('what is wrong is named by its column', () => {
  assert.deepEqual(draftOf({}, READING).problems, [{ field: 'address', fault: 'missing' }]);
  assert.deepEqual(faults({ phone: 'call me' }), ['phone bad']);
  assert.deepEqual(faults({ phone: '4.0123E+11' }), ['phone bad']);
  assert.deepEqual(faults({ email: 'aino' }), ['email bad']);
  assert.deepEqual(faults({ window: 'soon' }), ['window bad']);
  assert.deepEqual(faults({ date: 'soon', window: '14-16' }), ['date bad']);
  assert.deepEqual(faults({ from: 'soon', to: '16:00' }), ['from bad']);
  assert.deepEqual(faults({ language: 'Suomen kieli!' }), ['language bad']);
  assert.deepEqual(faults({ lat: 'north', lon: '24.9' }), ['lat bad']);
  assert.deepEqual(faults({ instructions: 'x'.repeat(501), address: 'x'.repeat(501) }), ['address long', 'instructions long']);
});

test('windows are of the day of the row, or else of the list', () => {
  assert.deepEqual(draft({ window: '14-16' }).window, { from: at(14), to: at(16) });
  assert.deepEqual(draft({ window: '14-16', date: '3.12.' }).window, { from: at(14, 3), to: at(16, 3) });
  assert.deepEqual(draft({ from: '14:00', to: '16:00' }, { day: { ...TODAY, day: 2 } }).window, { from: at(14, 2), to: at(16, 2) });
  assert.deepEqual(draft({ from: '22:00', to: '02:00' }).window, { from: at(22), to: at(2, 2) });
  assert.deepEqual(draft({ to: '16:00' }).window, { from: at(15), to: at(16) });
  assert.deepEqual(draft({ date: '3.12.' }).window, { from: at(0, 3), to: new Date(2026, 11, 3, 23, 59).toISOString() });
  assert.equal(draft({}).window, null);
});

test('a window that is over is a warning', () => {
  assert.deepEqual(faults({ window: '9-11' }), ['window past']);
});

test('phones are digits and what people put between them', () => {
  for (const phone of ['+358 40 1234567', '(040) 123-4567', '040.123.4567', '112233', '020 7946 0958 ext. 12']) assert.ok(isPhone(phone), phone);
  for (const phone of ['', '1234', 'aino@shop.example', '=HYPERLINK("x")', '1'.repeat(30)]) assert.ok(!isPhone(phone), phone);
});

test('coordinates of the list place the stop', () => {
  const { at: place, problems } = draftOf({ lat: '60,1652', lon: '24.9476' }, READING);
  assert.deepEqual([place, problems], [{ lat: 60.1652, lon: 24.9476 }, []]);
});
