import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Fleet } from '../../../src/dispatch/fleet/fleet.js';
import { NOW, driver, order } from '../fixtures.js';

/** @typedef {import('../../../types/fleet.js').FleetSnapshot} FleetSnapshot */

/** @param {Partial<FleetSnapshot>} more @returns {FleetSnapshot} */
const part = (more) => ({ type: 'snapshot', now: NOW, first: true, last: true, drivers: [], orders: [], ...more });
/** @type {import('../../../types/fleet.js').FleetUpdate} */
const change = { type: 'update', now: NOW, drivers: [], orders: [], gone_drivers: [], gone_orders: [] };

test('a snapshot is shown once it is whole', () => {
  const fleet = new Fleet();
  assert.equal(fleet.apply(part({ last: false, drivers: [driver()] })), null);
  assert.equal(fleet.complete, false);
  const done = fleet.apply(part({ first: false, drivers: [driver({ id: 'drv_2' })], orders: [order()] }));
  assert.equal(done?.whole, true);
  assert.deepEqual([[...fleet.drivers.keys()], [...fleet.orders.keys()], fleet.complete], [['drv_1', 'drv_2'], ['ord_1'], true]);
});

test('another snapshot replaces everything, and what is shown stays until it is whole', () => {
  const fleet = new Fleet();
  fleet.apply(part({ drivers: [driver()], orders: [order()] }));
  fleet.apply(part({ last: false }));
  assert.equal(fleet.orders.size, 1);
  fleet.apply(part({ first: false }));
  assert.equal(fleet.orders.size + fleet.drivers.size, 0);
});

test('an update has fields of drivers, whole orders, and what is gone', () => {
  const fleet = new Fleet();
  fleet.apply(part({ drivers: [driver(), driver({ id: 'drv_2' })], orders: [order(), order({ id: 'ord_2' })] }));
  const changed = fleet.apply({
    ...change, drivers: [{ id: 'drv_1', off_route: true }], orders: [order({ risks: ['off_route'] })], gone_drivers: ['drv_2'], gone_orders: ['ord_2'],
  });
  assert.deepEqual([fleet.driver('drv_1')?.off_route, fleet.driver('drv_1')?.name, fleet.driver('drv_2')], [true, 'Aino Korhonen', null]);
  assert.deepEqual([...fleet.orders.values()], [order({ risks: ['off_route'] })]);
  assert.deepEqual([[...(changed?.drivers ?? [])], [...(changed?.orders ?? [])]], [['drv_1', 'drv_2'], ['ord_1', 'ord_2']]);
});

test('an update between the parts of a snapshot counts for the snapshot', () => {
  const fleet = new Fleet();
  fleet.apply(part({ last: false, drivers: [driver()] }));
  fleet.apply({ ...change, drivers: [{ id: 'drv_1', off_route: true }] });
  fleet.apply(part({ first: false }));
  assert.equal(fleet.driver('drv_1')?.off_route, true);
});

test('messages of a newer service change nothing', () => {
  assert.equal(new Fleet().apply({ type: 'heartbeat', now: NOW }), null);
});
