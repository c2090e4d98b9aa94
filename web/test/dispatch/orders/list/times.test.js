import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dayOf, isMonthFirst, minutesOf, minutesWindow, momentOf, windowAt } from '../../../../src/dispatch/orders/list/times.js';

const TODAY = { year: 2026, month: 12, day: 1 };

test('times of day as people write them', () => {
  const times = {
    '14:30': 870, '14.30': 870, '9': 540, '14h30': 870, '2 pm': 840, '2:30PM': 870, '12 am': 0, '12 p.m.': 720, 'klo 14': 840,
    '14 Uhr': 840, '١٤:٣٠': 870, '１４：３０': 870, '24:00': 1440,
  };
  for (const [text, minutes] of Object.entries(times)) assert.equal(minutesOf(text), minutes, text);
  for (const text of ['', '25:00', '14:60', '13 pm', 'noonish', '1234567', '24:30']) assert.equal(minutesOf(text), null, text);
});

test('windows as people write them', () => {
  const windows = {
    '14-16': [840, 960], '14:00 – 16:30': [840, 990], '2–4 pm': [840, 960], '11-1 pm': [660, 780], '14 bis 16 Uhr': [840, 960],
    'klo 10–12': [600, 720], '18:00': [1080, 1140], 'before 14:00': [780, 840], 'ab 9': [540, 600], '22-02': [1320, 1560],
    'from 9 to 11': [540, 660], 'ennen 12': [660, 720],
  };
  for (const [text, [from, to]] of Object.entries(windows)) assert.deepEqual(minutesWindow(text), { from, to }, text);
  for (const text of ['', 'morning', '14-', '14-99', '1-2-3']) assert.equal(minutesWindow(text), null, text);
});

test('days as people write them', () => {
  /** @type {[string, boolean, [number, number, number]][]} */
  const days = [
    ['2026-12-24', false, [2026, 12, 24]], ['24.12.2026', false, [2026, 12, 24]], ['24.12.', false, [2026, 12, 24]],
    ['24/12/26', false, [2026, 12, 24]], ['12/24/2026', true, [2026, 12, 24]], ['2.1.', false, [2027, 1, 2]],
    ['to 24.12.2026', false, [2026, 12, 24]], ['2026年12月24日', false, [2026, 12, 24]],
  ];
  for (const [text, monthFirst, [year, month, day]] of days) assert.deepEqual(dayOf(text, TODAY, monthFirst), { year, month, day }, text);
  for (const text of ['', '31.2.2026', '12/24/2026', '24', 'soon']) assert.equal(dayOf(text, TODAY, false), null, text);
});

test('the locale says whether the month comes first', () => {
  assert.deepEqual(['en-US', 'en-GB', 'de', 'fi', 'ar'].map(isMonthFirst), [true, false, false, false, false]);
});

/** @param {string} text */
const at = (text) => momentOf(text, TODAY, TODAY, false)?.getTime();

test('a moment has its own day or the day of the list', () => {
  assert.equal(at('2026-12-24 14:00'), new Date(2026, 11, 24, 14).getTime());
  assert.equal(at('2026-12-24T14:00:00+02:00'), Date.UTC(2026, 11, 24, 12));
  assert.equal(at('24.12.2026 14:00'), new Date(2026, 11, 24, 14).getTime());
  assert.equal(at('14:00'), new Date(2026, 11, 1, 14).getTime());
  assert.equal(at('later'), undefined);
});

test('a window is of its day, also past midnight', () => {
  const { from, to } = windowAt(TODAY, { from: 1320, to: 1560 });
  assert.equal(Date.parse(from), new Date(2026, 11, 1, 22).getTime());
  assert.equal(Date.parse(to), new Date(2026, 11, 2, 2).getTime());
});
