import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conversations } from '../../src/drive/conversations.js';

/** @typedef {import('../../types/driver.js').Note} Note */

/** A store in memory, which keeps notes as IndexedDB does. */
class Memory {
  constructor() {
    /** @type {Map<string, Note>} */ this._notes = new Map();
  }
  async notes() {
    return [...this._notes.values()];
  }
  /** @param {Note} note */
  async addNote(note) {
    this._notes.set(`${note.order} ${note.at} ${note.from}`, note);
  }
  /** @param {Set<string>} orders */
  async keepNotesOf(orders) {
    for (const [key, note] of this._notes) if (!orders.has(note.order)) this._notes.delete(key);
  }
}

const AT = '2026-11-22T16:41:30.000Z';
const LATER = '2026-11-22T16:42:30.000Z';
const texts = (/** @type {Note[]} */ notes) => notes.map(({ text }) => text);

test('a note that is in the orders and in a message is new once', async () => {
  const conversations = new Conversations(new Memory());
  const orders = [{ id: 'a', notes: [{ text: 'Ring twice', at: AT }] }];
  assert.deepEqual(texts(await conversations.setOrders(orders)), ['Ring twice']);
  assert.deepEqual(await conversations.hear({ order_id: 'a', text: 'Ring twice', at: AT }), []);
  assert.deepEqual(await conversations.setOrders(orders), []);
  assert.deepEqual(texts(conversations.notes), ['Ring twice']);
});

test('what came without the page is added to what it has', async () => {
  const conversations = new Conversations(new Memory());
  await conversations.hear({ order_id: 'a', text: 'Ring twice', at: AT });
  await conversations.sent({ key: 'k', kind: 'note', order: 'a', text: 'On my way', at: AT });
  const notes = [{ text: 'Ring twice', at: AT }, { text: 'Back door', at: LATER }];
  assert.deepEqual(texts(await conversations.setOrders([{ id: 'a', notes }])), ['Back door']);
  assert.deepEqual(texts(conversations.notes), ['Ring twice', 'On my way', 'Back door']);
});

test('an order that leaves takes its conversation along; a service without notes adds none', async () => {
  const conversations = new Conversations(new Memory());
  await conversations.hear({ order_id: 'a', text: 'Ring twice', at: AT });
  assert.deepEqual(await conversations.setOrders([{ id: 'b' }]), []);
  assert.deepEqual(conversations.notes, []);
});
