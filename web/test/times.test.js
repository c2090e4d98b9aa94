import assert from 'node:assert/strict';
import { test } from 'node:test';

import { timesAt } from '../src/times.js';

const NOW = Date.parse('2026-11-22T15:55:00Z');

test('the day is the destination’s, not the visitor’s', () => {
  const [from, to] = ['2026-11-22T22:30:00Z', '2026-11-23T00:30:00Z'];
  assert.equal(timesAt(['en-GB'], 'Asia/Tokyo').span(from, to, NOW), 'Today, 07:30 – 09:30');
  assert.equal(timesAt(['en-GB'], 'Europe/Helsinki').span(from, to, NOW), 'Tomorrow, 00:30 – 02:30');
  assert.equal(timesAt(['en-GB'], 'America/New_York').span(from, to, NOW), 'Today, 17:30 – 19:30');
});

test('a day further off has weekday and date, in the visitor’s format', () => {
  const [from, to] = ['2026-12-01T12:00:00Z', '2026-12-01T14:00:00Z'];
  assert.equal(timesAt(['en-GB'], 'Europe/Helsinki').span(from, to, NOW), 'Tuesday 1 December, 14:00 – 16:00');
  assert.match(timesAt(['en-US'], 'Europe/Helsinki').span(from, to, NOW), /^Tuesday, December 1, 02:00.PM – 04:00.PM$/);
  assert.equal(timesAt(['de'], 'Europe/Helsinki').span(from, to, NOW), 'Dienstag, 1. Dezember, 14:00 – 16:00');
});

test('days are counted by the calendar, also where the visitor’s is another one, and over the end of summer time', () => {
  for (const language of ['fa-IR', 'th-TH', 'ar-SA-u-ca-islamic', 'ja-JP-u-ca-japanese']) {
    const spans = timesAt([language], 'Europe/Helsinki').span('2026-11-23T08:00:00Z', '2026-11-23T09:00:00Z', NOW);
    assert.match(spans, /^Tomorrow, /);
  }
  const evening = Date.parse('2026-10-24T20:30:00Z'); // 23:30 in Helsinki; the next day has 25 hours
  const helsinki = timesAt(['en-GB'], 'Europe/Helsinki');
  assert.equal(helsinki.span('2026-10-25T21:30:00Z', '2026-10-25T21:45:00Z', evening), 'Tomorrow, 23:30 – 23:45');
});

test('a span over midnight names both days, and one without length one time', () => {
  const helsinki = timesAt(['en-GB'], 'Europe/Helsinki');
  assert.equal(helsinki.span('2026-11-22T21:00:00Z', '2026-11-22T23:00:00Z', NOW), 'Today, 23:00 – Tomorrow, 01:00');
  assert.equal(helsinki.span('2026-11-22T21:00:00Z', '2026-11-22T21:00:00Z', NOW), 'Today, 23:00');
});

test('in a sentence today needs no name, and no other day a capital', () => {
  const helsinki = timesAt(['en-GB'], 'Europe/Helsinki');
  assert.equal(helsinki.moment('2026-11-22T17:20:00Z', NOW), '19:20');
  assert.equal(helsinki.moment('2026-11-23T06:00:00Z', NOW), 'tomorrow, 08:00');
  assert.equal(helsinki.range('2026-11-22T17:20:10Z', '2026-11-22T17:20:50Z', NOW), '19:20');
  assert.equal(helsinki.range('2026-11-22T21:50:00Z', '2026-11-22T22:10:00Z', NOW), 'today, 23:50 – tomorrow, 00:10');
});

test('a time zone that the browser does not know costs nobody the page', () => {
  for (const zone of ['Mars/Olympus', '', undefined]) {
    assert.match(timesAt(['en-GB'], zone).clock('2026-11-22T17:20:00Z'), /^\d\d:\d\d$/);
  }
});

test('a language tag that is not valid costs nobody the page', () => {
  const time = '2026-11-22T17:20:00Z';
  assert.match(timesAt(['en-US@posix'], 'UTC').clock(time), /^05:20.PM$/);
  assert.equal(timesAt(['de_DE'], 'UTC').clock(time), '17:20');
  for (const tag of ['?', '']) assert.match(timesAt([tag], 'UTC').clock(time), /\d\d:\d\d/);
  assert.equal(timesAt(['?', 'de'], 'UTC').span('2026-11-24T08:00:00Z', '2026-11-24T08:00:00Z', NOW).slice(0, 8), 'Dienstag');
});
