import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Times } from '../src/times.js';
import { wordsIn } from './fixtures.js';

const NOW = Date.parse('2026-11-22T15:55:00Z');

/** @param {string} locale @param {string} [zone] */
const timesIn = (locale, zone = 'Europe/Helsinki') => new Times(wordsIn(locale), zone);

test('the day is the destination’s, not the visitor’s', () => {
  const [from, to] = ['2026-11-22T22:30:00Z', '2026-11-23T00:30:00Z'];
  assert.equal(timesIn('en-GB', 'Asia/Tokyo').span(from, to, NOW), 'Today, 07:30–09:30');
  assert.equal(timesIn('en-GB').span(from, to, NOW), 'Tomorrow, 00:30–02:30');
  assert.equal(timesIn('en-GB', 'America/New_York').span(from, to, NOW), 'Today, 17:30–19:30');
});

test('a day further off has weekday and date, in the visitor’s format', () => {
  const [from, to] = ['2026-12-01T12:00:00Z', '2026-12-01T14:00:00Z'];
  assert.equal(timesIn('en-GB').span(from, to, NOW), 'Tuesday 1 December, 14:00–16:00');
  assert.equal(timesIn('en-US').span(from, to, NOW), 'Tuesday, December 1, 2:00 – 4:00 PM');
  assert.equal(timesIn('de').span(from, to, NOW), 'Dienstag, 1. Dezember, 14:00–16:00 Uhr');
});

test('days are counted by the calendar, also over the end of summer time, and yesterday has a name', () => {
  const evening = Date.parse('2026-10-24T20:30:00Z'); // 23:30 in Helsinki; the next day has 25 hours
  const span = timesIn('en-GB').span('2026-10-25T21:30:00Z', '2026-10-25T21:45:00Z', evening);
  assert.equal(span, 'Tomorrow, 23:30–23:45');
  assert.equal(timesIn('ar-SA').otherDay('2026-11-21T08:00:00Z', NOW), 'أمس');
  assert.equal(timesIn('en-GB').otherDay('2026-11-22T08:00:00Z', NOW), '');
});

test('a span over midnight names both days, and one without length one time', () => {
  const times = timesIn('en-GB');
  assert.equal(times.span('2026-11-22T21:00:00Z', '2026-11-22T23:00:00Z', NOW), 'Today, 23:00 – tomorrow, 01:00');
  assert.equal(times.span('2026-11-22T21:00:00Z', '2026-11-22T21:00:00Z', NOW), 'Today, 23:00');
});

test('in a sentence today needs no name, and no other day a capital', () => {
  const times = timesIn('en-GB');
  assert.equal(times.moment('2026-11-22T17:20:00Z', NOW), '19:20');
  assert.equal(times.moment('2026-11-23T06:00:00Z', NOW), 'tomorrow, 08:00');
  assert.equal(times.range('2026-11-22T17:20:10Z', '2026-11-22T17:20:50Z', NOW), '19:20');
  assert.equal(times.range('2026-11-22T21:50:00Z', '2026-11-22T22:10:00Z', NOW), '23:50 – tomorrow, 00:10');
});

test('a time zone that the browser does not know costs nobody the page', () => {
  for (const zone of ['Mars/Olympus', '', undefined]) {
    assert.match(new Times(wordsIn('en-GB'), zone).clock('2026-11-22T17:20:00Z'), /^\d\d:\d\d$/);
  }
});
