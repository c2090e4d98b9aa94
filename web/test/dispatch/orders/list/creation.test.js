import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAll, locateAll, PART } from '../../../../src/dispatch/orders/list/creation.js';
import { ImportList, stateOf } from '../../../../src/dispatch/orders/list/import-list.js';

const TODAY = { year: 2026, month: 12, day: 1 };
const READING = { day: TODAY, today: TODAY, now: 0, monthFirst: false, town: '' };

/** A service in memory that keeps answers by key, as the real one does, and can fail. */
class FakeService {
  constructor() {
    /** @type {Map<string, {body: string, answer: object}>} */ this.answers = new Map();
    /** @type {string[]} */ this.created = [];
    /** @type {(() => void)[]} */ this.faults = [];
    this.isAnswerLost = false;
  }

  /** @param {string} path @param {any} body @param {string} [key] */
  async post(path, body, key = '') {
    this.faults.shift()?.();
    if (path === 'v1/geocode') return { items: body.addresses.map((/** @type {string} */ address) => ({ place: placeOf(address), candidates: [], ambiguous: false })) };
    const known = this.answers.get(key);
    if (known) assert.equal(known.body, JSON.stringify(body));
    const answer = known?.answer ?? { items: body.orders.map((/** @type {any} */ order) => this._create(order)) };
    this.answers.set(key, { body: JSON.stringify(body), answer });
    if (this.isAnswerLost) throw problem(0);
    return answer;
  }

  /** @param {{dropoff: {address: string}}} order */
  _create({ dropoff }) {
    if (dropoff.address.startsWith('Bad')) return { status: 422, problem: { errors: [{ field: 'dropoff.address', detail: 'no', candidates: [] }] } };
    this.created.push(dropoff.address);
    return { status: 201, order: { id: `ord_${this.created.length}`, tracking_url: `https://shop.example/t/${this.created.length}` } };
  }
}

/** @param {number} status */
const problem = (status) => Object.assign(new Error('problem'), { status });
/** @param {string} address */
const placeOf = (address) => ({ address, lat: 60, lon: 24, precision: 'house' });
/** @param {number} count @param {(n: number) => string} [address] */
function listOf(count, address = (n) => `Main St ${n}`) {
  const rows = Array.from({ length: count }, (_, n) => [address(n + 1)]);
  return new ImportList({ rows, lines: rows.map((_, n) => n + 1), columns: ['address'] }, READING);
}
const wait = async () => {};

test('300 rows are located and created in parts, with progress', async () => {
  const [list, service] = [listOf(300), new FakeService()];
  /** @type {number[]} */ const progress = [];
  await locateAll(list, service);
  await createAll(list, service, {}, { onProgress: () => progress.push(list.counts().created) });
  assert.deepEqual(progress, [50, 100, 150, 200, 250, 300]);
  assert.equal(new Set(list.rows.map(({ order }) => order?.url)).size, 300);
});

test('lost answers and busy services double nothing', async () => {
  const [list, service] = [listOf(PART + 1), new FakeService()];
  await locateAll(list, service);
  service.isAnswerLost = true;
  service.faults = [() => {}, () => { service.isAnswerLost = false; throw problem(503); }];
  await createAll(list, service, {}, { wait });
  assert.deepEqual([service.created.length, list.counts().created], [PART + 1, PART + 1]);
});

test('the same list sent again gives the same orders', async () => {
  const service = new FakeService();
  const lists = [listOf(70), listOf(70)];
  for (const list of lists) {
    await locateAll(list, service);
    await createAll(list, service, { pickup: { lat: 1, lon: 2 } });
  }
  assert.equal(service.created.length, 70);
  assert.deepEqual(lists[1].rows.map(({ order }) => order), lists[0].rows.map(({ order }) => order));
});

test('a refused row does not hold up the others, and is sent alone when it is corrected', async () => {
  const [list, service] = [listOf(3, (n) => (n === 2 ? 'Bad St' : `Main St ${n}`)), new FakeService()];
  await locateAll(list, service);
  await createAll(list, service, {});
  assert.deepEqual(list.rows.map(stateOf), ['created', 'wrong', 'created']);
  list.edit(list.rows[1], 'address', 'Main St 2');
  await locateAll(list, service);
  await createAll(list, service, {});
  assert.deepEqual(service.created, ['Main St 1', 'Main St 3', 'Main St 2']);
});

test('what will not pass is reported at once, and the rest can be sent later', async () => {
  const [list, service] = [listOf(PART * 2), new FakeService()];
  await locateAll(list, service);
  service.faults = [() => {}, () => { throw problem(403); }];
  await assert.rejects(createAll(list, service, {}, { wait }), { status: 403 });
  assert.equal(list.counts().created, PART);
  await createAll(list, service, {});
  assert.equal(service.created.length, PART * 2);
});

test('it stops between two parts', async () => {
  const [list, service, stop] = [listOf(PART * 3), new FakeService(), new AbortController()];
  await locateAll(list, service);
  await createAll(list, service, {}, { signal: stop.signal, onProgress: () => stop.abort() });
  assert.equal(service.created.length, PART);
});
