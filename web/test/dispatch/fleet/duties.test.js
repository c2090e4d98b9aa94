import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countDuties, dutyOf } from '../../../src/dispatch/fleet/duties.js';
import { NOW, driver } from '../fixtures.js';

const silence = { since: NOW, reason: 'unknown', reason_basis: 'none' };

test('a driver does one thing at a time', () => {
  const drivers = [
    driver(), driver({ orders: ['ord_1'] }), driver({ duty: { on: true, on_break: true }, orders: ['ord_1'] }), driver({ orders: ['ord_1'], silence }),
    driver({ duty: { on: false, on_break: false }, silence }),
  ];
  assert.deepEqual(drivers.map(dutyOf), ['free', 'busy', 'break', 'silent', 'off']);
  assert.deepEqual(countDuties([...drivers, driver()]), { silent: 1, busy: 1, free: 2, break: 1, off: 1 });
});
